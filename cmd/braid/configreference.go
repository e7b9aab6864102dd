package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/braidhq/braid/platform/config"
)

func newConfigReference() *cobra.Command {
	s := newSettings(false)
	return &cobra.Command{
		Use: "reference", Short: "Print every key with its variable, flag, type and default, as Markdown", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return writeConfigReference(command.OutOrStdout(), s.registry.Reference())
		},
	}
}

const configIntroduction = `# Configuration

<!-- Generated from the settings' tags by braid config reference. Edit the tags, then run make gen. -->

Flags win over the environment, the environment over the YAML file that ` + "`--config` or `BRAID_CONFIG`" + ` names, the file over
the defaults. A key is the path in the file: ` + "`gateway: {user_rate: 100}`" + ` is ` + "`gateway.user_rate`" + `. A secret (🔒) can be
read from a file: put ` + "`_FILE`" + ` behind the variable or ` + "`_file`" + ` behind the key. Lists are comma-separated outside YAML.
` + "`braid config check`" + ` reports everything that is wrong, ` + "`braid config print`" + ` shows what is in force and where it comes from.
`

// statedDefaults are those that depend on who asks, where, or with which command; the page must not.
var statedDefaults = map[string]string{
	"data_dir":             "/var/lib/braid for root, else $XDG_DATA_HOME/braid or ~/.local/share/braid",
	"notification.mailbox": "true for up, false for serve",
}

// writeConfigReference writes one table for each section.
func writeConfigReference(out io.Writer, keys []config.Key) error {
	var text strings.Builder
	text.WriteString(configIntroduction)
	section := "none yet"
	for _, key := range keys {
		if key.Section != section {
			section = key.Section
			fmt.Fprintf(&text, "\n## %s\n\n| key | variable | flag | type | default | |\n|---|---|---|---|---|---|\n", cmp.Or(section, "Process"))
		}
		if stated, ok := statedDefaults[key.Path]; ok {
			key.Default = stated
		}
		help := strings.ReplaceAll(key.Help, "|", `\|`)
		if key.Secret {
			help = "🔒 " + help
		}
		fmt.Fprintf(&text, "| `%s` | `%s` | %s | %s | %s | %s |\n", key.Path, key.Environment,
			quoted("--", key.Flag), key.Type, quoted("", key.Default), help)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// quoted marks text as code; nothing stays nothing.
func quoted(prefix, text string) string {
	if text == "" {
		return ""
	}
	return "`" + prefix + text + "`"
}
