CREATE TABLE "checkpoint_patches" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" uuid NOT NULL,
	"checkpoint_id" uuid NOT NULL,
	"sequence" integer NOT NULL,
	"script" text NOT NULL,
	"description" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "checkpoint_secrets" (
	"org_id" uuid NOT NULL,
	"checkpoint_id" uuid NOT NULL,
	"name" text NOT NULL,
	"token" text NOT NULL,
	"sealed" text NOT NULL,
	"key_version" text NOT NULL,
	"allowed_hosts" jsonb NOT NULL,
	"source_store_id" uuid NOT NULL,
	CONSTRAINT "checkpoint_secrets_checkpoint_id_name_pk" PRIMARY KEY("checkpoint_id","name")
);
--> statement-breakpoint
CREATE TABLE "checkpoints" (
	"id" uuid PRIMARY KEY NOT NULL,
	"org_id" uuid NOT NULL,
	"sandbox_id" text NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"status" text NOT NULL,
	"failure" text,
	"size_bytes" bigint DEFAULT 0 NOT NULL,
	"template_id" text NOT NULL,
	"cpu_count" integer NOT NULL,
	"memory_mb" integer NOT NULL,
	"disk_mb" integer,
	"idle_timeout_seconds" integer NOT NULL,
	"metadata" jsonb NOT NULL,
	"envs" jsonb NOT NULL,
	"working_directory" text,
	"project_name" text,
	"secret_store_name" text,
	"base_secret_store_name" text,
	"egress_mode" text NOT NULL,
	"egress_allowlist" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "sandbox_secrets" DROP CONSTRAINT "sandbox_secrets_token_unique";--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "envs" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "working_directory" text;--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "from_checkpoint_id" uuid;--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "patch_error" text;--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "memory_lost" text;--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "hibernated_bytes" bigint;--> statement-breakpoint
ALTER TABLE "checkpoint_patches" ADD CONSTRAINT "checkpoint_patches_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "checkpoint_patches" ADD CONSTRAINT "checkpoint_patches_checkpoint_id_checkpoints_id_fk" FOREIGN KEY ("checkpoint_id") REFERENCES "public"."checkpoints"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "checkpoint_secrets" ADD CONSTRAINT "checkpoint_secrets_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "checkpoint_secrets" ADD CONSTRAINT "checkpoint_secrets_checkpoint_id_checkpoints_id_fk" FOREIGN KEY ("checkpoint_id") REFERENCES "public"."checkpoints"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "checkpoints" ADD CONSTRAINT "checkpoints_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "checkpoint_patches_sequence" ON "checkpoint_patches" USING btree ("checkpoint_id","sequence");--> statement-breakpoint
CREATE INDEX "checkpoint_secrets_source" ON "checkpoint_secrets" USING btree ("source_store_id","name");--> statement-breakpoint
CREATE UNIQUE INDEX "checkpoints_sandbox_name" ON "checkpoints" USING btree ("org_id","sandbox_id","name");--> statement-breakpoint
CREATE INDEX "checkpoints_status" ON "checkpoints" USING btree ("status");--> statement-breakpoint
CREATE UNIQUE INDEX "sandbox_secrets_sandbox_token" ON "sandbox_secrets" USING btree ("sandbox_id","token");