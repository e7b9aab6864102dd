package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/braidhq/braid/cmd/braid/internal/bench"
)

func newBench() *cobra.Command {
	var config bench.Config
	command := &cobra.Command{
		Use:   "bench",
		Short: "Measure this braid against bare floors, on an instance of its own",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(command.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			binary, err := os.Executable()
			if err != nil {
				return err
			}
			config.Binary, config.Version, config.Out = binary, build().Version, command.OutOrStdout()
			return bench.Run(ctx, config)
		},
	}
	command.Flags().BoolVar(&config.Smoke, "smoke", false, "run everything small: nothing may fail, no time is judged, no report is written")
	command.Flags().StringVar(&config.Report, "report", "", "file to write the report to")
	command.Flags().StringVar(&config.Directory, "directory", "", "where to put the data, on the disk that counts; the system's place for temporary files by default")
	command.Flags().StringSliceVar(&config.Only, "only", nil, "measure only these: watch, read, access, removal, login, refresh, unknown, write, sustained, steady, drain, visible, delete, memory")
	command.Flags().StringVar(&config.Profile, "profile", "", "directory for a processor profile of the measured process under each load")
	command.AddCommand(newBenchFloor())
	return command
}

// newBenchFloor is the process that floors run in, so that they have what the product has: a process of their own.
func newBenchFloor() *cobra.Command {
	return &cobra.Command{
		Use: "floor ADDRESS", Short: "Serve the bare handlers that reads are compared with", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(command *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(command.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return bench.ServeFloor(ctx, args[0])
		},
	}
}
