CREATE TABLE "images" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" uuid NOT NULL,
	"content_hash" text NOT NULL,
	"checkpoint_id" uuid NOT NULL,
	"state" text NOT NULL,
	"envs" jsonb NOT NULL,
	"working_directory" text,
	"size_bytes" bigint NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "images_checkpoint_id_unique" UNIQUE("checkpoint_id")
);
--> statement-breakpoint
CREATE TABLE "snapshots" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" uuid NOT NULL,
	"name" text NOT NULL,
	"content_hash" text NOT NULL,
	"manifest" text NOT NULL,
	"status" text NOT NULL,
	"failure" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "purpose" text DEFAULT 'user' NOT NULL;--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "api_key_id" uuid;--> statement-breakpoint
ALTER TABLE "images" ADD CONSTRAINT "images_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "snapshots" ADD CONSTRAINT "snapshots_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "images_org_content" ON "images" USING btree ("org_id","content_hash");--> statement-breakpoint
CREATE UNIQUE INDEX "snapshots_org_name" ON "snapshots" USING btree ("org_id","name");--> statement-breakpoint
CREATE INDEX "snapshots_org_content" ON "snapshots" USING btree ("org_id","content_hash");