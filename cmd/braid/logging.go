package main

import (
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/braidhq/braid/platform/obs"
)

// version is set by the build.
var version = "dev"

func build() obs.Build {
	made := obs.Build{Version: version}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				made.Commit = setting.Value
			}
		}
	}
	return made
}

func parseLevel(text string) (slog.Level, error) {
	var level slog.Level
	err := level.UnmarshalText([]byte(text))
	return level, err
}

// onTerminal reports whether people read what is written.
func onTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func newLogger(settings *settings) (*slog.Logger, func() error) {
	level, err := parseLevel(settings.Log.Level)
	if err != nil {
		level = slog.LevelInfo
	}
	terminal := onTerminal(os.Stdout)
	options := obs.LogOptions{Level: level, Format: obs.JSON}
	if settings.Log.Format == "console" || (settings.Log.Format == "auto" && terminal) {
		options.Format, options.Color = obs.Console, terminal
	}
	return obs.NewLogger(os.Stdout, options)
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			made := build()
			_, err := fmt.Fprintln(command.OutOrStdout(), "braid", made.Version, made.Commit)
			return err
		},
	}
}
