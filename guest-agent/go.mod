module opencomputer/guest-agent

go 1.19
