package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/services/identity"
)

func newOperator() *cobra.Command {
	command := &cobra.Command{Use: "operator", Short: "Say who runs the deployment, beside its organizations"}
	command.AddCommand(newOperatorCreate(), newOperatorList(), newOperatorRemove())
	return command
}

func newOperatorCreate() *cobra.Command {
	var email, name, role string
	command := newOperatorCommand("create", "Make a person an operator; who has no account gets one, and a mail to set its password",
		func(ctx context.Context, out io.Writer, operators *identity.Operators) error {
			made, err := operators.Create(ctx, email, name, role)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(out, "%s is an operator with the role %s, from the next login or refresh on and with a second factor\n", made.Email, made.Role)
			return err
		})
	command.Flags().StringVar(&email, "email", "", "the person's address")
	command.Flags().StringVar(&name, "name", "", "the name of an account that is made; the address up to its @ without one")
	command.Flags().StringVar(&role, "role", "", "support, system or admin; each may what those before it may")
	requireFlags(command, "email", "role")
	return command
}

func newOperatorList() *cobra.Command {
	return newOperatorCommand("list", "List the operators, the first appointed first",
		func(ctx context.Context, out io.Writer, operators *identity.Operators) error {
			listed, err := operators.List(ctx)
			if err != nil {
				return err
			}
			for _, operator := range listed {
				factor := "second factor"
				if !operator.Secured {
					factor = "no second factor yet"
				}
				if _, err := fmt.Fprintln(out, operator.UserID, operator.Role, operator.Email,
					"since "+operator.CreatedAt.UTC().Format(time.RFC3339), "("+factor+")"); err != nil {
					return err
				}
			}
			return nil
		})
}

func newOperatorRemove() *cobra.Command {
	var email string
	command := newOperatorCommand("remove", "Take the role from an operator and end their sessions; the account stays",
		func(ctx context.Context, out io.Writer, operators *identity.Operators) error {
			if err := operators.Remove(ctx, email); err != nil {
				return err
			}
			_, err := fmt.Fprintln(out, email, "is no operator any more")
			return err
		})
	command.Flags().StringVar(&email, "email", "", "the operator's address")
	requireFlags(command, "email")
	return command
}

// requireFlags panics for a flag that there is not: the command is wrong.
func requireFlags(command *cobra.Command, names ...string) {
	for _, name := range names {
		if err := command.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
}

func newOperatorCommand(use, short string, act func(context.Context, io.Writer, *identity.Operators) error) *cobra.Command {
	s := newSettings(true)
	command := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := s.load(command.Flags(), need{}); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(command.Context(), keysTimeout)
			defer cancel()
			return withIdentity(ctx, s, func(database *pg.DB, keys *secret.Keys) error {
				return act(ctx, command.OutOrStdout(), identity.OpenOperators(database, keys, clock.System{}))
			})
		},
	}
	s.registry.BindFlags(command.Flags())
	return command
}
