CREATE TABLE "events" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"sequence" bigint GENERATED ALWAYS AS IDENTITY (sequence name "events_sequence_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"transaction_id" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
	"node_id" text NOT NULL,
	"org_id" uuid NOT NULL,
	"sandbox_id" text,
	"type" text NOT NULL,
	"data" jsonb NOT NULL,
	"time" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "events" ADD CONSTRAINT "events_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "events_org" ON "events" USING btree ("org_id","transaction_id","sequence");--> statement-breakpoint
CREATE INDEX "events_sandbox" ON "events" USING btree ("org_id","sandbox_id","transaction_id","sequence");--> statement-breakpoint
CREATE INDEX "events_time" ON "events" USING btree ("time");