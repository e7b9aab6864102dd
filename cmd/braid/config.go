package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newConfig() *cobra.Command {
	command := &cobra.Command{Use: "config", Short: "Check or print the configuration"}
	command.AddCommand(newConfigCheck(), newConfigPrint(), newConfigReference())
	return command
}

func newConfigCheck() *cobra.Command {
	s := newSettings(true)
	var names []string
	command := &cobra.Command{
		Use: "check", Short: "Report everything that is wrong with the configuration", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			services, err := chooseServices(names)
			if err != nil {
				return err
			}
			checked, needed := s, needOfUp()
			if len(names) > 0 {
				checked, needed = newSettings(false), needOfServe(services)
			}
			if err := checked.load(command.Flags(), needed); err != nil {
				return err
			}
			_, err = fmt.Fprintln(command.OutOrStdout(), "the configuration is good")
			return err
		},
	}
	command.Flags().StringSliceVar(&names, "services", nil, "services to check it for, as for serve; by default as for up")
	s.registry.BindFlags(command.Flags())
	return command
}

func newConfigPrint() *cobra.Command {
	s := newSettings(true)
	command := &cobra.Command{
		Use: "print", Short: "Print the configuration in force with where each value comes from; secrets are masked", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := s.load(command.Flags(), needOfUp()); err != nil {
				return err
			}
			return s.registry.Print(command.OutOrStdout())
		},
	}
	s.registry.BindFlags(command.Flags())
	return command
}
