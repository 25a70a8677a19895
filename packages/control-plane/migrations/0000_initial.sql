CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"sha256" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "api_keys_sha256_unique" UNIQUE("sha256")
);
--> statement-breakpoint
CREATE TABLE "installations" (
	"singleton" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"short_id" text NOT NULL,
	"check_sealed" text NOT NULL,
	"check_key_version" text NOT NULL,
	"ca_certificate_pem" text NOT NULL,
	"ca_key_sealed" text NOT NULL,
	"ca_key_version" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "installations_singleton" CHECK ("installations"."singleton" = 1)
);
--> statement-breakpoint
CREATE TABLE "orgs" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "orgs_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "projects" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" uuid NOT NULL,
	"name" text NOT NULL,
	"template" text NOT NULL,
	"cpu_count" integer NOT NULL,
	"memory_mb" integer NOT NULL,
	"timeout_sec" integer NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sandbox_secrets" (
	"org_id" uuid NOT NULL,
	"sandbox_id" text NOT NULL,
	"name" text NOT NULL,
	"token" text NOT NULL,
	"sealed" text NOT NULL,
	"key_version" text NOT NULL,
	"allowed_hosts" jsonb NOT NULL,
	"source_store_id" uuid NOT NULL,
	CONSTRAINT "sandbox_secrets_sandbox_id_name_pk" PRIMARY KEY("sandbox_id","name"),
	CONSTRAINT "sandbox_secrets_token_unique" UNIQUE("token")
);
--> statement-breakpoint
CREATE TABLE "sandboxes" (
	"id" text PRIMARY KEY NOT NULL,
	"org_id" uuid NOT NULL,
	"state" text NOT NULL,
	"template_id" text NOT NULL,
	"cpu_count" integer NOT NULL,
	"memory_mb" integer NOT NULL,
	"disk_mb" integer,
	"idle_timeout_seconds" integer NOT NULL,
	"metadata" jsonb NOT NULL,
	"tags" jsonb NOT NULL,
	"project_name" text,
	"secret_store_name" text,
	"base_secret_store_name" text,
	"egress_mode" text NOT NULL,
	"egress_allowlist" jsonb NOT NULL,
	"source_address" text,
	"started_at" timestamp (3) with time zone NOT NULL,
	"last_active_at" timestamp (3) with time zone NOT NULL,
	"stopped_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "secret_stores" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" uuid NOT NULL,
	"project_id" uuid,
	"name" text NOT NULL,
	"egress_allowlist" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "secret_stores_project_id_unique" UNIQUE("project_id")
);
--> statement-breakpoint
CREATE TABLE "store_secrets" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" uuid NOT NULL,
	"store_id" uuid NOT NULL,
	"name" text NOT NULL,
	"sealed" text NOT NULL,
	"key_version" text NOT NULL,
	"allowed_hosts" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "projects" ADD CONSTRAINT "projects_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sandbox_secrets" ADD CONSTRAINT "sandbox_secrets_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sandbox_secrets" ADD CONSTRAINT "sandbox_secrets_sandbox_id_sandboxes_id_fk" FOREIGN KEY ("sandbox_id") REFERENCES "public"."sandboxes"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sandboxes" ADD CONSTRAINT "sandboxes_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "secret_stores" ADD CONSTRAINT "secret_stores_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "secret_stores" ADD CONSTRAINT "secret_stores_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "store_secrets" ADD CONSTRAINT "store_secrets_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "store_secrets" ADD CONSTRAINT "store_secrets_store_id_secret_stores_id_fk" FOREIGN KEY ("store_id") REFERENCES "public"."secret_stores"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "api_keys_org" ON "api_keys" USING btree ("org_id");--> statement-breakpoint
CREATE UNIQUE INDEX "projects_org_name" ON "projects" USING btree ("org_id","name");--> statement-breakpoint
CREATE INDEX "sandbox_secrets_source" ON "sandbox_secrets" USING btree ("source_store_id","name");--> statement-breakpoint
CREATE INDEX "sandboxes_org" ON "sandboxes" USING btree ("org_id");--> statement-breakpoint
CREATE INDEX "sandboxes_state" ON "sandboxes" USING btree ("state");--> statement-breakpoint
CREATE UNIQUE INDEX "secret_stores_org_name" ON "secret_stores" USING btree ("org_id","name") WHERE "secret_stores"."project_id" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "store_secrets_store_name" ON "store_secrets" USING btree ("store_id","name");