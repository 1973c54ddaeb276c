// Command stackgate gives programs their own, least-privilege access to OpenStack. See stackgate --help.
package main

import (
	"os"

	"github.com/stackgate/stackgate/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
