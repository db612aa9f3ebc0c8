package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"os"
	"strings"

	"example.com/keyturn/shared/alerting"
	"github.com/wneessen/go-mail"
)

// Mail sends alerts by SMTP, as plain text and HTML. All alerts of an incident are
// one thread: they refer to one message, which need not exist, and have one subject
// but for what stands in brackets before it, which programs that go by subjects leave
// out (RFC 5256, section 2.1).
// Nothing is sent before the connection is encrypted.
type Mail struct {
	ID       string   // the channel's name; "" is mail
	Host     string   // the server's name, as its certificate has it; required
	Port     int      // 0 is 587, or 465 with Implicit
	Implicit bool     // TLS from the first byte; false is STARTTLS, without which nothing is sent
	Username string   // "" does not log in
	Password string   // a secret
	From     string   // address, with or without a name; required
	To       []string // likewise; at least one. If the server refuses one of them, nobody gets the mail
	Client   *Client  // required
}

// Name is the channel's name.
func (m *Mail) Name() string { return cmp.Or(m.ID, "mail") }

// Deliver sends an alert, once. Its errors are or wrap a *Failure.
func (m *Mail) Deliver(ctx context.Context, a alerting.Alert) error {
	letter, err := m.letter(a)
	if err != nil {
		return unencodable(m, a, err)
	}
	return undelivered(m, a, m.send(ctx, letter))
}

// letter renders an alert.
func (m *Mail) letter(a alerting.Alert) (*mail.Msg, error) {
	l := mail.NewMsg(mail.WithNoDefaultUserAgent())
	from, err := netmail.ParseAddress(m.From)
	if err != nil {
		return nil, errors.New("the address that it is from cannot be read: correct it where the channel is configured")
	}
	if err := l.To(m.To...); err != nil || len(m.To) == 0 {
		return nil, errors.New("the addresses that it goes to cannot be read: correct them where the channel is configured")
	}
	l.FromMailAddress(from)
	told := compose(a, m.Client.from)
	html, err := mailHTML(told)
	if err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	thread := messageID("incident", a.Incident, domain)
	l.SetGenHeader(mail.HeaderMessageID, messageID("alert", a.ID, domain))
	l.SetGenHeader(mail.HeaderReferences, thread)
	l.SetGenHeader(mail.HeaderInReplyTo, thread)
	l.SetGenHeader("Auto-Submitted", "auto-generated") // no holiday notices (RFC 3834)
	l.SetGenHeader("Keyturn-Severity", told.Severity)
	l.SetGenHeader("Keyturn-State", told.State)
	l.Subject("[" + headline(told) + "] " + told.Title)
	if a.Severity >= alerting.High {
		l.SetImportance(mail.ImportanceHigh)
	}
	l.SetBodyString(mail.TypeTextPlain, mailText(told))
	l.AddAlternativeString(mail.TypeTextHTML, html)
	return l, nil
}

// messageID is the same in every attempt. RFC 5322 lets lines have 998 bytes, and
// an id holds nothing but letters, digits and "-".
func messageID(kind, id, domain string) string {
	safe := strings.Map(func(r rune) rune {
		if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, id)
	return fmt.Sprintf("<%s.%s@%s>", kind, safe[:min(len(safe), 100)], domain)
}

// send sends a letter in a connection of its own.
func (m *Mail) send(ctx context.Context, letter *mail.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, m.Client.timeout)
	defer cancel()
	client, err := m.dialer(ctx)
	if err != nil {
		return &Failure{Permanent: true, Err: fmt.Errorf("its settings are wrong: %w", err)}
	}
	err = client.DialAndSendWithContext(ctx, letter)
	if err == nil || letter.IsDelivered() { // it is, although the good-bye failed
		return nil
	}
	return m.failureOf(ctx, err)
}

func (m *Mail) dialer(ctx context.Context) (*mail.Client, error) {
	port := cmp.Or(m.Port, 587)
	options := []mail.Option{mail.WithTLSPolicy(mail.TLSMandatory)}
	auth := mail.SMTPAuthAutoDiscover
	if m.Implicit {
		port = cmp.Or(m.Port, 465)
		options = []mail.Option{mail.WithSSL()}
		auth = mail.SMTPAuthPlain
	}
	settings := m.Client.tls.Clone()
	settings.ServerName = m.Host
	options = append(options, mail.WithPort(port), mail.WithTLSConfig(settings), mail.WithTimeout(m.Client.timeout),
		mail.WithDialContextFunc(func(_ context.Context, network, address string) (net.Conn, error) {
			return m.connect(ctx, network, address, settings)
		}))
	if m.Username != "" {
		options = append(options, mail.WithSMTPAuth(auth), mail.WithUsername(m.Username), mail.WithPassword(m.Password))
	}
	return mail.NewClient(m.Host, options...)
}

// connect returns a connection that ends with ctx.
func (m *Mail) connect(ctx context.Context, network, address string, settings *tls.Config) (net.Conn, error) {
	conn, err := m.Client.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	if !m.Implicit {
		return conn, nil
	}
	encrypted := tls.Client(conn, settings)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return encrypted, nil
}

// failureOf goes by the server's code: from 500 on it would refuse again.
func (m *Mail) failureOf(ctx context.Context, err error) *Failure {
	if ctx.Err() != nil { // which is why the connection was closed
		err = ctx.Err()
	}
	if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return &Failure{Err: fmt.Errorf("the mail server took too long: %w", err)}
	}
	code := 0
	if refused := (*mail.SendError)(nil); errors.As(err, &refused) {
		code = refused.ErrorCode()
	} else if refused := (*textproto.Error)(nil); errors.As(err, &refused) {
		code = refused.Code
	}
	words := Printable(err.Error(), maxSaid)
	if repeats(words, []string{m.Password}) {
		words = fmt.Sprintf("the mail server answered %d", code)
	}
	return &Failure{Permanent: code >= 500, Err: errors.New(words)}
}

// mailText is the plain half of a letter.
func mailText(m message) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: %s\n\n%s\n\n", headline(m), m.Title, m.Sentence)
	if m.Why != "" {
		fmt.Fprintf(&b, "Why: %s\n\n", m.Why)
	}
	for _, f := range append(named(fact{"now", m.Progress}), m.Facts...) {
		fmt.Fprintf(&b, "%-14s %s\n", f.Name, f.Value)
	}
	for _, c := range m.commands() {
		fmt.Fprintf(&b, "\n%s:\n    %s\n", c.Name, c.Value)
	}
	if m.Runbook != "" {
		fmt.Fprintf(&b, "\nRunbook: %s\n", m.Runbook)
	}
	for _, l := range m.links() {
		fmt.Fprintf(&b, "\n%s:\n%s\n", l.Name, l.Value)
	}
	return b.String()
}
