// Command split starts every service as its own process on this machine, two of workflow, with Apache Kafka and
// PostgreSQL, for those who want to see it: make run-split.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/braidhq/braid/test/deployment"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "split:", err)
		os.Exit(1)
	}
}

func run() error {
	directory := flag.String("directory", ".cache/split", "where data and logs go")
	listen := flag.String("listen", "127.0.0.1:8080", "address of the gateway")
	admin := flag.String("admin-listen", "127.0.0.1:8081", "admin address of the process with the mailbox")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := os.MkdirAll(*directory, 0o755); err != nil {
		return err
	}
	running, err := deployment.StartSplit(ctx, deployment.Options{Directory: *directory, Listen: *listen, AdminListen: *admin})
	if err != nil {
		return err
	}
	fmt.Printf("\n  Braid is up in pieces\n\n    API      %s\n    mailbox  %s/mailbox\n    parts    %s\n    brokers  %s\n    logs     %s\n\n  Ctrl-C stops it.\n\n",
		running.URL, running.AdminURL, strings.Join(running.Parts(), ", "), strings.Join(running.Brokers, ","), *directory)
	<-ctx.Done()
	return running.Stop()
}
