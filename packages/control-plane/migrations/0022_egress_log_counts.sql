CREATE TABLE "egress_log_counts" (
	"sandbox_id" text PRIMARY KEY NOT NULL,
	"org_id" uuid NOT NULL,
	"entries" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "egress_log_counts" ADD CONSTRAINT "egress_log_counts_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "egress_log_counts_org" ON "egress_log_counts" USING btree ("org_id");--> statement-breakpoint
INSERT INTO "egress_log_counts" ("sandbox_id", "org_id", "entries") SELECT "sandbox_id", "org_id", count(*) FROM "egress_log" GROUP BY "sandbox_id", "org_id";