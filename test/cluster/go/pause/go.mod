module ambient-sessions/test/cluster/pause

go 1.24.0
