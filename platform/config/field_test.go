package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDefinitionMistakesAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		add  func(*Registry)
		want string
	}{
		"two keys, one variable": {func(r *Registry) {
			r.Section("a", &struct {
				X string `config:"b_c"`
			}{})
			r.Section("a_b", &struct {
				X string `config:"c"`
			}{})
		}, "BRAID_A_B_C already stands for a.b_c"},
		"secret file and key": {func(r *Registry) {
			r.Section("", &struct {
				X string `config:"x" secret:"true"`
				Y string `config:"x_file"`
			}{})
		}, "BRAID_X_FILE already stands for x"},
		"key and section": {func(r *Registry) {
			r.Section("", &struct {
				X string `config:"mail"`
			}{})
			r.Section("mail", &struct{}{})
		}, "a section has the same name"},
		"bad default": {func(r *Registry) {
			r.Section("", &struct {
				X int `config:"x" default:"many"`
			}{})
		}, `"many" is not a whole number`},
		"bad type": {func(r *Registry) {
			r.Section("", &struct {
				X map[string]int `config:"x"`
			}{})
		}, "not supported"},
		"not a pointer": {func(r *Registry) { r.Section("", struct{}{}) }, "not a pointer"},
		"the file's flag": {func(r *Registry) {
			r.Section("", &struct {
				X string `config:"x" flag:"config"`
			}{})
		}, "--config already stands for"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := New()
			test.add(registry)
			require.ErrorContains(t, registry.Load(Sources{}), test.want)
		})
	}
}
