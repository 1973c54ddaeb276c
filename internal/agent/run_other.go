//go:build !unix

package agent

import "os"

var forwarded = []os.Signal{os.Interrupt}

func reachedChild(os.Signal) bool { return true }

func exitCode(p *os.ProcessState) int { return p.ExitCode() }
