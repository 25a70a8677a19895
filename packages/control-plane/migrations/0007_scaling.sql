ALTER TABLE "checkpoints" ADD COLUMN "scaling" jsonb;--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "scaling" jsonb;