package agent

import (
	"os/exec"
	"runtime"
	"syscall"
)

// apart puts the command into a process group of its own where there is no terminal. There a service manager or a CI runner ends a job with a
// signal to the whole group: the command would have it twice, from them and from us, and Terraform gives up its state at
// the second. Should we be killed, the kernel sends it SIGTERM, for each of our threads that it has been a child of: done lets go of the
// one that it is started by.
func apart(cmd *exec.Cmd) (done func()) {
	if hasTerminal() {
		return func() {}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
