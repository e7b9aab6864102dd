package federation

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/braidhq/braid/platform/mailaddress"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// maxSubject is what OpenID Connect Core, section 2, allows.
const maxSubject = 255

// claims are what is read of ID tokens and of UserInfo.
type claims struct {
	Email         string `json:"email"`
	EmailVerified truth  `json:"email_verified"`
	// OwnerVerified is Microsoft's: the tenant has proven the address's domain.
	OwnerVerified   truth  `json:"xms_edov"`
	Name            words  `json:"name"`
	AuthorizedParty string `json:"azp"`
}

// truth is a boolean as providers write it: true, "true", 1 or "1". What is anything else is false.
type truth bool

// UnmarshalJSON implements json.Unmarshaler.
func (t *truth) UnmarshalJSON(text []byte) error {
	*t = truth(slices.Contains([]string{`true`, `"true"`, `1`, `"1"`}, string(text)))
	return nil
}

// words are a text that nothing depends on: what a provider has there otherwise is none.
type words string

// UnmarshalJSON implements json.Unmarshaler.
func (w *words) UnmarshalJSON(encoded []byte) error {
	var text string
	_ = json.Unmarshal(encoded, &text)
	*w = words(text)
	return nil
}

func refuse(format string, arguments ...any) error {
	return domain.ErrProviderRefused.WithCause(fmt.Errorf(format, arguments...))
}

// readTokens checks the ID token, and asks UserInfo for an address that it does not hold.
func (c *Client) readTokens(ctx context.Context, provider Provider, found *oidc.Provider, request Request, tokens *oauth2.Token) (domain.Person, error) {
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return domain.Person{}, refuse("there is no ID token")
	}
	idToken, err := found.Verifier(&oidc.Config{ClientID: provider.ClientID, Now: c.clock.Now}).Verify(ctx, raw)
	if err != nil {
		return domain.Person{}, classifyVerification(err)
	}
	if subtle.ConstantTimeCompare([]byte(idToken.Nonce), []byte(request.Nonce)) != 1 {
		return domain.Person{}, refuse("the ID token has another nonce")
	}
	if idToken.Subject == "" || len(idToken.Subject) > maxSubject {
		return domain.Person{}, refuse("the ID token has no usable subject")
	}
	if idToken.AccessTokenHash != "" {
		if err := idToken.VerifyAccessToken(tokens.AccessToken); err != nil {
			return domain.Person{}, refuse("the access token is not the ID token's: %w", err)
		}
	}
	var said claims
	if err := idToken.Claims(&said); err != nil {
		return domain.Person{}, refuse("read claims: %w", err)
	}
	if (len(idToken.Audience) > 1 || said.AuthorizedParty != "") && said.AuthorizedParty != provider.ClientID {
		return domain.Person{}, refuse("the ID token is for another client")
	}
	if said.Email == "" && found.UserInfoEndpoint() != "" {
		if err := askUserInfo(ctx, found, idToken.Subject, tokens, &said); err != nil {
			return domain.Person{}, err
		}
	}
	return personOf(provider, idToken.Subject, said), nil
}

// classifyVerification tells keys that could not be fetched from a token that is not good.
func classifyVerification(err error) error {
	var expired *oidc.TokenExpiredError
	if !errors.As(err, &expired) && strings.Contains(err.Error(), "fetching keys") {
		return domain.ErrProviderUnavailable.WithCause(err)
	}
	return refuse("verify ID token: %w", err)
}

func askUserInfo(ctx context.Context, found *oidc.Provider, subject string, tokens *oauth2.Token, into *claims) error {
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return domain.ErrProviderUnavailable.WithCause(fmt.Errorf("ask user info: %w", err))
	}
	// OpenID Connect Core, section 5.3.2: what is said of another subject must not be used.
	if info.Subject != subject {
		return refuse("the user info is of another person")
	}
	if err := info.Claims(into); err != nil {
		return refuse("read user info: %w", err)
	}
	return nil
}

// personOf takes of the claims what can be used. An address that no mail can be sent to is none.
func personOf(provider Provider, subject string, said claims) domain.Person {
	person := domain.Person{Source: provider.Source, Issuer: provider.Issuer, Subject: subject, DisplayName: string(said.Name)}
	if mailaddress.Valid(said.Email) {
		person.Email = said.Email
		person.Vouched = bool(said.EmailVerified || said.OwnerVerified) || slices.Contains(provider.TrustedDomains, domain.MailDomain(said.Email))
	}
	return person
}
