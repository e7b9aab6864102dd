package federation

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a person is called must not keep them out.
func TestANameThatIsNoTextIsNone(t *testing.T) {
	t.Parallel()
	for text, wanted := range map[string]words{
		`{"name": "Ada"}`: "Ada", `{"name": {"given": "Ada"}}`: "", `{"name": 7}`: "", `{"name": null}`: "", `{}`: "",
	} {
		var said claims
		require.NoError(t, json.Unmarshal([]byte(text), &said), text)
		require.Equal(t, wanted, said.Name, text)
	}
}
