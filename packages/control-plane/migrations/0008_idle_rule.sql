ALTER TABLE "checkpoints" ADD COLUMN "idle" text DEFAULT 'requests' NOT NULL;--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "idle" text DEFAULT 'requests' NOT NULL;