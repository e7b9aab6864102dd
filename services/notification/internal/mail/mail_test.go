package mail_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/notification/internal/domain"
	"github.com/braidhq/braid/services/notification/internal/mail"
)

var sent = time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)

func newComposer(t *testing.T) *mail.Composer {
	t.Helper()
	return mail.New("https://braid.example.com")
}

func newMessage(content mail.Content) mail.Message {
	return mail.Message{
		Content: content, DeliveryID: id.MustParse("01890a5d-ac96-774b-bcce-b302099a8057"), CorrelationID: "work-1", Time: sent,
		From: netmail.Address{Name: "Braid", Address: "braid@example.com"},
		To:   netmail.Address{Name: "Ben", Address: "ben@example.org"},
	}
}

// decode reads a message as a mail program would.
func decode(t require.TestingT, message mail.Message) (header netmail.Header, parts map[string]string) {
	var wire bytes.Buffer
	_, err := message.WriteTo(&wire)
	require.NoError(t, err)
	parsed, err := netmail.ReadMessage(&wire)
	require.NoError(t, err)
	mediaType, parameters, err := mime.ParseMediaType(parsed.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", mediaType)
	parts = map[string]string{}
	reader := multipart.NewReader(parsed.Body, parameters["boundary"])
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parsed.Header, parts
		}
		require.NoError(t, err)
		partType, partParameters, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		require.NoError(t, err)
		require.Equal(t, "UTF-8", strings.ToUpper(partParameters["charset"]))
		require.Equal(t, "quoted-printable", part.Header.Get("Content-Transfer-Encoding"))
		content, err := io.ReadAll(quotedprintable.NewReader(part))
		require.NoError(t, err)
		parts[partType] = strings.ReplaceAll(string(content), "\r\n", "\n")
	}
}

func subjectOf(t require.TestingT, header netmail.Header) string {
	subject, err := (&mime.WordDecoder{}).DecodeHeader(header.Get("Subject"))
	require.NoError(t, err)
	return subject
}

func TestMessageOnTheWire(t *testing.T) {
	t.Parallel()
	header, parts := decode(t, newMessage(mail.Content{Subject: "Zoë schreibt: ☕", Text: "Grüße\n", HTML: "<p>Grüße</p>"}))
	require.Equal(t, "Zoë schreibt: ☕", subjectOf(t, header))
	require.NotContains(t, header.Get("Subject"), "ë", "a header is ASCII on the wire")
	require.Equal(t, "<01890a5d-ac96-774b-bcce-b302099a8057@example.com>", header.Get("Message-Id"))
	require.Equal(t, `"Braid" <braid@example.com>`, header.Get("From"))
	require.Equal(t, `"Ben" <ben@example.org>`, header.Get("To"))
	require.Equal(t, "work-1", header.Get("X-Correlation-Id"))
	require.Equal(t, "auto-generated", header.Get("Auto-Submitted"))
	date, err := header.Date()
	require.NoError(t, err)
	require.True(t, date.Equal(sent))
	require.Equal(t, "Grüße\n", parts["text/plain"])
	require.Equal(t, "<p>Grüße</p>", parts["text/html"])
}

func TestRegistrationMail(t *testing.T) {
	t.Parallel()
	content := newComposer(t).Registration("042137", "to-ken", sent)
	_, parts := decode(t, newMessage(content))
	require.Contains(t, strings.Split(parts["text/plain"], "\n"), "code: 042137")
	require.Contains(t, parts["text/html"], "042137")
	require.NotContains(t, content.Subject, "042137", "a subject is shown on locked screens")
	require.Contains(t, strings.Split(parts["text/plain"], "\n"), "https://braid.example.com/verify-email?token=to-ken")
}

func TestAccountMails(t *testing.T) {
	t.Parallel()
	composer := newComposer(t)
	reset := composer.PasswordReset("to-ken_1+/=", sent)
	require.Contains(t, strings.Split(reset.Text, "\n"), "https://braid.example.com/reset-password?token=to-ken_1%2B%2F%3D")
	require.Contains(t, reset.Text, "1 March 2026, 12:30 UTC")
	confirmation := composer.EmailConfirmation("to-ken", sent)
	require.Contains(t, confirmation.HTML, `href="https://braid.example.com/verify-email?token=to-ken"`)
	for _, write := range []func() mail.Content{composer.NoAccount, composer.NothingPending, composer.PasswordChanged} {
		content := write()
		require.NotContains(t, content.Text, "token=")
		require.Contains(t, content.Text, "https://braid.example.com")
	}
}

// What a person typed reaches the old address: it must add no header, no line and no turn of direction.
func TestHostileAddressesAndNamesStayInTheirLine(t *testing.T) {
	t.Parallel()
	content := newComposer(t).EmailChange("eve@example.com\r\nBcc: all@example.com\u202Emoc.elpmaxe\u2028<b>")
	message := newMessage(content)
	message.To.Name = "Eve\r\nBcc: all@example.com\u202E\u2066"
	header, parts := decode(t, message)
	require.Empty(t, header.Get("Bcc"))
	require.NotContains(t, header.Get("To"), "\u202E")
	require.Contains(t, parts["text/plain"], "eve@example.com Bcc: all@example.com moc.elpmaxe <b>\n")
	require.NotContains(t, parts["text/html"], "<b>")
}

func TestAccountExistsMail(t *testing.T) {
	t.Parallel()
	content := newComposer(t).AccountExists()
	require.Contains(t, content.Text, "already has one")
	require.NotContains(t, content.Text, "code:")
	require.Contains(t, content.HTML, `href="https://braid.example.com"`)
}

func TestInvitationMail(t *testing.T) {
	t.Parallel()
	content := newComposer(t).Invitation("Acme & Sons", "Ada <b>", "to-ken_1+/=", sent)
	link := "https://braid.example.com/invitations/accept?token=to-ken_1%2B%2F%3D"
	require.Equal(t, "Ada <b> invites you to Acme & Sons", content.Subject)
	require.Contains(t, strings.Split(content.Text, "\n"), link)
	require.Contains(t, content.HTML, `href="`+link+`"`)
	require.Contains(t, content.HTML, "Acme &amp; Sons")
	require.NotContains(t, content.HTML, "<b>")
	require.Contains(t, content.Text, "1 March 2026, 12:30 UTC")
}

func TestTaskMails(t *testing.T) {
	t.Parallel()
	delivery := domain.Delivery{
		OrganizationID: id.New(), UserID: id.New(), TaskID: id.New(), TaskKey: "WEB-12", TaskTitle: "Fix <script>alert(1)</script>", TaskStatus: "in_review",
	}
	delivery.AssigneeID = delivery.UserID
	link := "https://braid.example.com/organizations/" + delivery.OrganizationID.String() + "/tasks/" + delivery.TaskID.String()
	for kind, sentence := range map[domain.Kind]string{
		domain.TaskAssigned:      "Ada assigned WEB-12 to you.",
		domain.TaskCommented:     "Ada commented on WEB-12.",
		domain.TaskStatusChanged: "Ada moved WEB-12 to in review.",
	} {
		delivery.Kind = kind
		content, err := newComposer(t).Task(delivery, "Ada", "Ben")
		require.NoError(t, err)
		require.Contains(t, content.Subject, "WEB-12")
		require.Contains(t, content.Text, sentence)
		require.Contains(t, content.Text, link)
		require.Contains(t, content.HTML, `href="`+link+`"`)
		require.NotContains(t, content.HTML, "<script>")
	}
	content, err := newComposer(t).Task(delivery, "", "")
	require.NoError(t, err)
	require.Contains(t, content.Text, "Somebody")
	delivery.Kind = domain.Registration
	_, err = newComposer(t).Task(delivery, "Ada", "Ben")
	require.Error(t, err)
}

func TestAssignmentMails(t *testing.T) {
	t.Parallel()
	reader, ben, eve := id.New(), id.New(), id.New()
	for _, test := range []struct {
		assignee, previous, actor id.ID
		name, subject, sentence   string
	}{
		{reader, ben, eve, "", "WEB-12 was assigned to you: Fix it", "Ada assigned WEB-12 to you."},
		{ben, reader, eve, "Ben", "WEB-12 is no longer assigned to you: Fix it", "Ada assigned WEB-12 to Ben."},
		{id.ID{}, reader, eve, "", "WEB-12 is no longer assigned to you: Fix it", "Ada took you off WEB-12."},
		{ben, eve, eve, "Ben\r\nBcc: all@example.org", "WEB-12 was assigned to Ben Bcc: all@example.org: Fix it", "Ada assigned WEB-12 to Ben Bcc: all@example.org."},
		{ben, id.ID{}, eve, "", "WEB-12 was assigned to somebody else: Fix it", "Ada assigned WEB-12 to somebody else."},
		{ben, reader, ben, "Ada", "WEB-12 is no longer assigned to you: Fix it", "Ada took WEB-12."},
		{ben, eve, ben, "Ada", "WEB-12 was assigned to Ada: Fix it", "Ada took WEB-12."},
		{id.ID{}, ben, eve, "", "WEB-12 is no longer assigned: Fix it", "Ada left WEB-12 without an assignee."},
		{id.ID{}, ben, id.ID{}, "", "WEB-12 is no longer assigned: Fix it", "WEB-12 has no assignee any more."},
	} {
		content, err := newComposer(t).Task(domain.Delivery{
			Kind: domain.TaskAssigned, UserID: reader, ActorID: test.actor, TaskKey: "WEB-12", TaskTitle: "Fix it",
			Assignment: domain.Assignment{AssigneeID: test.assignee, PreviousAssigneeID: test.previous},
		}, "Ada", test.name)
		require.NoError(t, err)
		require.Equal(t, test.subject, content.Subject)
		require.Contains(t, strings.Split(content.Text, "\n"), test.sentence)
	}
}

// hostile draws texts made of what could end a header, a line or a tag.
var hostile = rapid.StringOfN(rapid.SampledFrom([]rune("ab\r\n\t\x00<>\"@:;,\\=?\u202e\u2028é☕")), 0, 60, -1)

func TestNoNameAddsAHeaderOrALine(t *testing.T) {
	t.Parallel()
	composer := newComposer(t)
	plain := composer.Invitation("Acme", "Ada", "token", sent)
	wantHeader, wantParts := decode(t, newMessage(plain))
	rapid.Check(t, func(t *rapid.T) {
		organization, inviter := hostile.Draw(t, "organization"), hostile.Draw(t, "inviter")
		content := composer.Invitation(organization, inviter, "token", sent)
		message := newMessage(content)
		message.To.Name = hostile.Draw(t, "name")
		message.CorrelationID = "x" + hostile.Draw(t, "correlation")
		header, parts := decode(t, message)
		for name := range header {
			require.Contains(t, wantHeader, name)
		}
		require.Len(t, header, len(wantHeader))
		require.Len(t, parts, 2)
		require.Equal(t, strings.Count(wantParts["text/plain"], "\n"), strings.Count(parts["text/plain"], "\n"))
		require.Equal(t, strings.Count(wantParts["text/html"], "<"), strings.Count(parts["text/html"], "<"))
		require.Equal(t, -1, strings.IndexFunc(subjectOf(t, header)+strings.ReplaceAll(parts["text/plain"], "\n", ""), unicode.IsControl))
		to, err := netmail.ParseAddress(header.Get("To"))
		require.NoError(t, err)
		require.Equal(t, "ben@example.org", to.Address)
	})
}

func TestBadAddressIsNotRepeated(t *testing.T) {
	t.Parallel()
	message := newMessage(mail.Content{Subject: "a", Text: "b", HTML: "c"})
	message.To.Address = "ben@example.org>\r\nBcc: <all@example.org"
	_, err := message.WriteTo(io.Discard)
	require.ErrorIs(t, err, mail.ErrAddress)
	require.NotContains(t, err.Error(), "example.org")
}
