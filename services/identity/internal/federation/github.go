package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"golang.org/x/oauth2"

	"github.com/braidhq/braid/services/identity/internal/domain"
)

// askGitHub reads who the token is of (REST API, "Get the authenticated user" and "List email addresses for the
// authenticated user"). The number stays when somebody changes their login name.
func (c *Client) askGitHub(ctx context.Context, provider Provider, tokens *oauth2.Token) (domain.Person, error) {
	var user struct {
		ID    int64  `json:"id"`
		Login string `json:"login"`
		Name  string `json:"name"`
	}
	if err := getJSON(ctx, provider.API+"/user", tokens, &user); err != nil {
		return domain.Person{}, err
	}
	if user.ID == 0 {
		return domain.Person{}, refuse("GitHub named no user")
	}
	var addresses []struct {
		Email    string `json:"email"`
		Primary  bool   `json:"primary"`
		Verified bool   `json:"verified"`
	}
	if err := getJSON(ctx, provider.API+"/user/emails", tokens, &addresses); err != nil {
		return domain.Person{}, err
	}
	said := claims{Name: words(user.Name)}
	if said.Name == "" {
		said.Name = words(user.Login)
	}
	for _, address := range addresses {
		if address.Primary {
			said.Email, said.EmailVerified = address.Email, truth(address.Verified)
		}
	}
	return personOf(provider, strconv.FormatInt(user.ID, 10), said), nil
}

func getJSON(ctx context.Context, address string, tokens *oauth2.Token, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("ask GitHub: %w", err)
	}
	tokens.SetAuthHeader(request)
	request.Header.Set("Accept", "application/vnd.github+json")
	client, _ := ctx.Value(oauth2.HTTPClient).(*http.Client)
	response, err := client.Do(request)
	if err != nil {
		return domain.ErrProviderUnavailable.WithCause(fmt.Errorf("ask GitHub: %w", err))
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil || response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests:
		return domain.ErrProviderUnavailable.WithCause(fmt.Errorf("ask GitHub: answered %d", response.StatusCode))
	case response.StatusCode != http.StatusOK:
		return refuse("ask GitHub: answered %d", response.StatusCode)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return domain.ErrProviderUnavailable.WithCause(fmt.Errorf("read GitHub's answer: %w", err))
	}
	return nil
}
