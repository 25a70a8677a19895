ALTER TABLE "checkpoint_secrets" ADD COLUMN "revoked_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "installations" ADD COLUMN "signing_key_sealed" text;--> statement-breakpoint
ALTER TABLE "installations" ADD COLUMN "signing_key_version" text;--> statement-breakpoint
ALTER TABLE "sandbox_secrets" ADD COLUMN "revoked_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "sandboxes" ADD COLUMN "pending_revocation" uuid;--> statement-breakpoint
ALTER TABLE "store_secrets" ADD COLUMN "revoked_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "sandboxes_pending_revocation" ON "sandboxes" USING btree ("pending_revocation") WHERE "sandboxes"."pending_revocation" is not null;