ALTER TABLE "checkpoint_former_secrets" ADD COLUMN "kind" text DEFAULT 'value' NOT NULL;--> statement-breakpoint
ALTER TABLE "checkpoint_secrets" ADD COLUMN "kind" text DEFAULT 'value' NOT NULL;--> statement-breakpoint
ALTER TABLE "sandbox_former_secrets" ADD COLUMN "kind" text DEFAULT 'value' NOT NULL;--> statement-breakpoint
ALTER TABLE "sandbox_secrets" ADD COLUMN "kind" text DEFAULT 'value' NOT NULL;--> statement-breakpoint
ALTER TABLE "store_secrets" ADD COLUMN "kind" text DEFAULT 'value' NOT NULL;