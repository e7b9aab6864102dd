package bench

import "syscall"

// childAttributes have the kernel end a process of ours when this one dies: a killed benchmark leaves nothing running.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
