ALTER TABLE "sandboxes" ADD COLUMN "transition_id" uuid;--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "transition_owner" text;--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "transition_deadline_at" timestamp (3) with time zone;