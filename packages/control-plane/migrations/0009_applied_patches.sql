ALTER TABLE "checkpoints" ADD COLUMN "applied_patch_ids" jsonb;--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "applied_patch_ids" jsonb;