CREATE TABLE "egress_log" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "egress_log_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"org_id" uuid NOT NULL,
	"sandbox_id" text NOT NULL,
	"instance_id" uuid NOT NULL,
	"sequence" bigint NOT NULL,
	"stored_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"time" timestamp (3) with time zone NOT NULL,
	"protocol" text NOT NULL,
	"host" text,
	"port" integer,
	"decision" text NOT NULL,
	"status" integer,
	"left_out" bigint NOT NULL,
	"secrets" jsonb NOT NULL,
	"shown" jsonb NOT NULL
);
--> statement-breakpoint
ALTER TABLE "egress_log" ADD CONSTRAINT "egress_log_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "egress_log_line" ON "egress_log" USING btree ("instance_id","sequence");--> statement-breakpoint
CREATE INDEX "egress_log_sandbox" ON "egress_log" USING btree ("sandbox_id","id");--> statement-breakpoint
CREATE INDEX "egress_log_org" ON "egress_log" USING btree ("org_id","id");--> statement-breakpoint
CREATE INDEX "egress_log_stored_at" ON "egress_log" USING btree ("stored_at");