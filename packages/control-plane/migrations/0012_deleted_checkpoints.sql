CREATE TABLE "deleted_checkpoints" (
	"id" uuid PRIMARY KEY NOT NULL,
	"deleted_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE FUNCTION "note_deleted_checkpoint"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO "deleted_checkpoints" ("id") VALUES ((to_jsonb(OLD) ->> TG_ARGV[0])::uuid) ON CONFLICT DO NOTHING;
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "note_deleted_checkpoint" AFTER DELETE ON "checkpoints" FOR EACH ROW EXECUTE FUNCTION "note_deleted_checkpoint"('id');
--> statement-breakpoint
CREATE TRIGGER "note_deleted_checkpoint" AFTER DELETE ON "images" FOR EACH ROW EXECUTE FUNCTION "note_deleted_checkpoint"('checkpoint_id');
