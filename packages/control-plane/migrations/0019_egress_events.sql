CREATE TABLE "egress_event_counts" (
	"org_id" uuid NOT NULL,
	"sandbox_id" text NOT NULL,
	"type" text NOT NULL,
	"subject" text NOT NULL,
	"data" jsonb NOT NULL,
	"count" bigint NOT NULL,
	"reported_at" timestamp (3) with time zone,
	CONSTRAINT "egress_event_counts_sandbox_id_type_subject_pk" PRIMARY KEY("sandbox_id","type","subject")
);
--> statement-breakpoint
ALTER TABLE "egress_event_counts" ADD CONSTRAINT "egress_event_counts_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "egress_event_counts" ADD CONSTRAINT "egress_event_counts_sandbox_id_sandboxes_id_fk" FOREIGN KEY ("sandbox_id") REFERENCES "public"."sandboxes"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "egress_event_counts_pending" ON "egress_event_counts" USING btree ("reported_at") WHERE "egress_event_counts"."count" > 0;