CREATE TABLE "machine_usage" (
	"machine_id" uuid PRIMARY KEY NOT NULL,
	"org_id" uuid NOT NULL,
	"sandbox_id" text NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"read_at" timestamp (3) with time zone NOT NULL,
	"has_ended" boolean NOT NULL,
	"cpu_percent" double precision NOT NULL,
	"cpu_milliseconds" bigint NOT NULL,
	"memory_bytes" bigint NOT NULL,
	"disk_bytes" bigint NOT NULL,
	"network_received_bytes" bigint NOT NULL,
	"network_sent_bytes" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "usage_buckets" (
	"org_id" uuid NOT NULL,
	"sandbox_id" text NOT NULL,
	"span" text NOT NULL,
	"starts_at" timestamp (3) with time zone NOT NULL,
	"running_milliseconds" bigint NOT NULL,
	"cpu_milliseconds" bigint NOT NULL,
	"memory_mb_seconds" bigint NOT NULL,
	"memory_peak_bytes" bigint NOT NULL,
	"disk_peak_bytes" bigint NOT NULL,
	"network_received_bytes" bigint NOT NULL,
	"network_sent_bytes" bigint NOT NULL,
	CONSTRAINT "usage_buckets_sandbox_id_span_starts_at_pk" PRIMARY KEY("sandbox_id","span","starts_at")
);
--> statement-breakpoint
CREATE TABLE "usage_sandboxes" (
	"sandbox_id" text PRIMARY KEY NOT NULL,
	"org_id" uuid NOT NULL,
	"tags" jsonb NOT NULL
);
--> statement-breakpoint
ALTER TABLE "machine_usage" ADD CONSTRAINT "machine_usage_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "usage_buckets" ADD CONSTRAINT "usage_buckets_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "usage_sandboxes" ADD CONSTRAINT "usage_sandboxes_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "usage_buckets_org" ON "usage_buckets" USING btree ("org_id","starts_at");--> statement-breakpoint
CREATE INDEX "usage_buckets_span" ON "usage_buckets" USING btree ("span","starts_at");