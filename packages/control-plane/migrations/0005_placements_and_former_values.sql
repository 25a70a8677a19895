CREATE TABLE "checkpoint_former_secrets" (
	"id" uuid PRIMARY KEY NOT NULL,
	"org_id" uuid NOT NULL,
	"name" text NOT NULL,
	"token" text NOT NULL,
	"sealed" text NOT NULL,
	"key_version" text NOT NULL,
	"allowed_hosts" jsonb NOT NULL,
	"substitute_in" jsonb NOT NULL,
	"retired_at" timestamp (3) with time zone NOT NULL,
	"checkpoint_id" uuid NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sandbox_former_secrets" (
	"id" uuid PRIMARY KEY NOT NULL,
	"org_id" uuid NOT NULL,
	"name" text NOT NULL,
	"token" text NOT NULL,
	"sealed" text NOT NULL,
	"key_version" text NOT NULL,
	"allowed_hosts" jsonb NOT NULL,
	"substitute_in" jsonb NOT NULL,
	"retired_at" timestamp (3) with time zone NOT NULL,
	"sandbox_id" text NOT NULL
);
--> statement-breakpoint
ALTER TABLE "checkpoint_secrets" ADD COLUMN "substitute_in" jsonb DEFAULT '["header","body"]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "sandbox_secrets" ADD COLUMN "substitute_in" jsonb DEFAULT '["header","body"]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "machine_id" uuid;--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "session_version" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "secret_stores" ADD COLUMN "substitute_in" jsonb;--> statement-breakpoint
ALTER TABLE "store_secrets" ADD COLUMN "substitute_in" jsonb;--> statement-breakpoint
ALTER TABLE "checkpoint_former_secrets" ADD CONSTRAINT "checkpoint_former_secrets_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "checkpoint_former_secrets" ADD CONSTRAINT "checkpoint_former_secrets_checkpoint_id_checkpoints_id_fk" FOREIGN KEY ("checkpoint_id") REFERENCES "public"."checkpoints"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sandbox_former_secrets" ADD CONSTRAINT "sandbox_former_secrets_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sandbox_former_secrets" ADD CONSTRAINT "sandbox_former_secrets_sandbox_id_sandboxes_id_fk" FOREIGN KEY ("sandbox_id") REFERENCES "public"."sandboxes"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "checkpoint_former_secrets_owner" ON "checkpoint_former_secrets" USING btree ("checkpoint_id","name");--> statement-breakpoint
CREATE INDEX "checkpoint_former_secrets_retired" ON "checkpoint_former_secrets" USING btree ("retired_at");--> statement-breakpoint
CREATE INDEX "sandbox_former_secrets_owner" ON "sandbox_former_secrets" USING btree ("sandbox_id","name");--> statement-breakpoint
CREATE INDEX "sandbox_former_secrets_retired" ON "sandbox_former_secrets" USING btree ("retired_at");