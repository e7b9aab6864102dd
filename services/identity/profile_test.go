package identity_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/jpeg"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
)

func (h *harness) avatars(accessToken string) identityv1connect.AvatarServiceClient {
	return identityv1connect.NewAvatarServiceClient(h.as(accessToken), h.url)
}

// updates are the changes of users that events tell of.
func (h *harness) updates() (updates []*identityv1.UserUpdated) {
	h.t.Helper()
	for _, event := range h.events() {
		if message, ok := event.message.(*identityv1.UserUpdated); ok {
			updates = append(updates, message)
		}
	}
	return updates
}

func TestProfileHoldsLocaleTimeZoneAndTitle(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	token := h.signIn("ada@example.com").GetAccessToken()
	status, me := h.rest(http.MethodPatch, "/api/v1/me", token, `{"locale":"pt-br","timeZone":"Europe/Lisbon","title":" Head of Support "}`)
	require.Equal(t, http.StatusOK, status, "%v", me)
	require.Equal(t, []any{"pt-BR", "Europe/Lisbon", "Head of Support"}, []any{me["locale"], me["timeZone"], me["title"]})
	require.Len(t, h.updates(), 1)
	updated := h.updates()[0]
	require.Equal(t, []string{"pt-BR", "Europe/Lisbon", "Head of Support", "Ada"},
		[]string{updated.GetLocale(), updated.GetTimeZone(), updated.GetTitle(), updated.GetDisplayName()})
	again := h.signIn("ada@example.com")
	require.Equal(t, "pt-BR", again.GetUser().GetLocale(), "a login tells it as well")
	for body, field := range map[string]string{
		`{"locale":"klingon?"}`: "locale", `{"locale":"und"}`: "locale", `{"locale":"xx-YY-zz-really-not"}`: "locale",
		`{"timeZone":"Mars/Olympus"}`: "timeZone", `{"timeZone":"../../etc/passwd"}`: "timeZone", `{"timeZone":"Local"}`: "timeZone",
		`{"timeZone":"localtime"}`: "timeZone", `{"timeZone":"posix/Europe/Lisbon"}`: "timeZone",
		`{"title":"a\u202eb"}`: "title", `{"title":"` + strings.Repeat("x", 101) + `"}`: "title",
	} {
		status, refused := h.rest(http.MethodPatch, "/api/v1/me", token, body)
		require.Equal(t, http.StatusBadRequest, status, body)
		require.Contains(t, mustJSON(t, refused), `"field":"`+field+`"`, body)
	}
	require.Len(t, h.updates(), 1)
	status, me = h.rest(http.MethodPatch, "/api/v1/me", token, `{"locale":"","timeZone":"","title":""}`)
	require.Equal(t, http.StatusOK, status, "%v", me)
	require.Equal(t, []any{"", "", ""}, []any{me["locale"], me["timeZone"], me["title"]})
}

func picture(t *testing.T) []byte {
	t.Helper()
	var file bytes.Buffer
	require.NoError(t, jpeg.Encode(&file, image.NewGray(image.Rect(0, 0, 500, 400)), nil))
	return file.Bytes()
}

func TestAvatar(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	token := h.signIn("ada@example.com").GetAccessToken()
	body, err := json.Marshal(map[string]any{"image": picture(t)})
	require.NoError(t, err)
	status, answer := h.rest(http.MethodPut, "/api/v1/me/avatar", token, string(body))
	require.Equal(t, http.StatusOK, status, "%v", answer)
	path, _ := answer["path"].(string)
	me, err := h.me(token).GetMe(t.Context(), &identityv1.GetMeRequest{})
	require.NoError(t, err)
	require.Equal(t, path, me.GetAvatarPath())
	require.Equal(t, path, "/api/v1/avatars/"+h.updates()[0].GetAvatarId())

	get := func(path, known string) (*http.Response, []byte) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+path, nil)
		require.NoError(t, err)
		request.Header.Set("If-None-Match", known)
		response, err := h.client.Do(request)
		require.NoError(t, err)
		defer func() { require.NoError(t, response.Body.Close()) }()
		data, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response, data
	}
	response, data := get(path, `"another"`)
	require.Equal(t, http.StatusOK, response.StatusCode, "nobody need sign in")
	require.Equal(t, []string{"image/jpeg", "nosniff", "public, max-age=31536000, immutable", "default-src 'none'; sandbox"}, []string{
		response.Header.Get("Content-Type"), response.Header.Get("X-Content-Type-Options"), response.Header.Get("Cache-Control"),
		response.Header.Get("Content-Security-Policy"),
	})
	decoded, err := jpeg.DecodeConfig(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, []int{256, 256}, []int{decoded.Width, decoded.Height})
	response, data = get(path, `"another", W/`+response.Header.Get("ETag"))
	require.Equal(t, http.StatusNotModified, response.StatusCode)
	require.Empty(t, data)

	second, err := h.avatars(token).SetAvatar(t.Context(), &identityv1.SetAvatarRequest{Image: picture(t)})
	require.NoError(t, err)
	require.NotEqual(t, path, second.GetPath())
	response, _ = get(path, "")
	require.Equal(t, http.StatusNotFound, response.StatusCode, "the one before is gone")
	require.Equal(t, 1, h.count(`select count(*) from avatar`))

	for range 2 {
		_, err = h.avatars(token).DeleteAvatar(t.Context(), &identityv1.DeleteAvatarRequest{})
		require.NoError(t, err)
	}
	response, _ = get(second.GetPath(), "")
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.Len(t, h.updates(), 3, "what changes nothing is not told")
	require.Empty(t, h.updates()[2].GetAvatarId())
}

func TestAvatarsThatAreRefused(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	avatars := h.avatars(h.signIn("ada@example.com").GetAccessToken())
	_, err := avatars.SetAvatar(t.Context(), &identityv1.SetAvatarRequest{Image: []byte("no picture at all")})
	require.Equal(t, "AVATAR_INVALID", reasonOf(t, err))
	require.Equal(t, []string{"image"}, fieldsOf(t, err))
	_, err = avatars.SetAvatar(t.Context(), &identityv1.SetAvatarRequest{Image: make([]byte, 600<<10)})
	require.Equal(t, "AVATAR_TOO_LARGE", reasonOf(t, err))
	_, err = avatars.SetAvatar(t.Context(), &identityv1.SetAvatarRequest{})
	require.Equal(t, []string{"image"}, fieldsOf(t, err))
	require.Zero(t, h.count(`select count(*) from avatar`))
	require.Empty(t, h.updates())
}
