package main

import (
	"github.com/spf13/cobra"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "braid",
		Short:         "A multi-tenant work platform in one binary",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newUp(), newServe(), newMigrate(), newConfig(), newKeys(), newOperator(), newEvents(), newDLQ(), newDemo(), newBench(), newVersion())
	return root
}
