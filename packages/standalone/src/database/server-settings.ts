/**
 * The settings of the server, for its command line. They are in no file: the
 * server's user can write `postgresql.auto.conf` in the cluster, which
 * overrides the configuration file but not the command line.
 *
 * Sized for the control plane's pool of 16 connections, and for a host that
 * runs machines.
 */
export function serverSettings(socketDirectory: string): Record<string, string | number> {
  return {
    listen_addresses: "",
    unix_socket_directories: `"${socketDirectory.replaceAll('"', '""')}"`,
    ssl: "off",
    max_connections: 32,
    fsync: "on",
    full_page_writes: "on",
    synchronous_commit: "on",
    shared_buffers: "16MB",
    work_mem: "2MB",
    maintenance_work_mem: "16MB",
    huge_pages: "off",
    // Its root has no /dev/shm.
    dynamic_shared_memory_type: "mmap",
    wal_level: "minimal",
    max_wal_senders: 0,
    max_wal_size: "128MB",
    min_wal_size: "32MB",
    archive_mode: "off",
    max_worker_processes: 1,
    max_parallel_workers: 0,
    max_logical_replication_workers: 0,
    autovacuum_max_workers: 1,
    jit: "off",
    shared_preload_libraries: "",
    session_preload_libraries: "",
    local_preload_libraries: "",
    timezone: "UTC",
    datestyle: "iso",
    lc_messages: "C",
    log_timezone: "UTC",
    log_destination: "stderr",
    logging_collector: "off",
    log_line_prefix: "%m [%p] ",
    // Statements and details would bring rows into the log.
    log_statement: "none",
    log_min_duration_statement: -1,
    log_min_duration_sample: -1,
    log_transaction_sample_rate: 0,
    log_min_messages: "warning",
    log_min_error_statement: "panic",
    log_error_verbosity: "terse",
    debug_print_parse: "off",
    debug_print_rewritten: "off",
    debug_print_plan: "off",
  };
}
