package notify

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// postOffice is a mail server that takes nothing before STARTTLS, and knows one
// user: keyturn, by mailPassword.
type postOffice struct {
	host    string
	port    int
	roots   *x509.CertPool // that vouch for it
	letters chan letter

	mu       sync.Mutex
	refuse   map[string]error // by command: AUTH, MAIL, RCPT, DATA, RESET
	sessions int
}

// letter is what came, as net/mail reads it.
type letter struct {
	from   string
	to     []string
	header mail.Header
	parts  map[string]string // by media type, decoded
	raw    string
}

// Ways to the post office.
const (
	inTheClear = iota
	startTLS
	implicitTLS
)

// office opens a post office.
func office(t *testing.T, way int) *postOffice {
	t.Helper()
	o := &postOffice{letters: make(chan letter, 100), refuse: map[string]error{}}
	certified, roots := certified(t)
	o.roots = roots
	server := smtp.NewServer(o)
	server.Domain, server.ReadTimeout, server.WriteTimeout = "post.example", time.Minute, time.Minute
	server.ErrorLog = log.New(io.Discard, "", 0)
	server.AllowInsecureAuth = way == inTheClear
	config := &tls.Config{Certificates: certified.TLS.Certificates}
	if way == startTLS {
		server.TLSConfig = config
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.host, o.port = "127.0.0.1", listener.Addr().(*net.TCPAddr).Port
	if way == implicitTLS {
		listener = tls.NewListener(listener, config)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() { // the listener too: Close may come before Serve knows of it
		_ = server.Close()
		_ = listener.Close()
		<-done
	})
	return o
}

// mail is a channel to the post office.
func (o *postOffice) mail() *Mail {
	return &Mail{
		Host: o.host, Port: o.port, Username: "keyturn", Password: mailPassword,
		From: "keyturn <alerts@acme.example>", To: []string{"ann@acme.example", "Bo <bo@acme.example>"},
		Client: NewClient(Egress{AllowPrivate: true, Roots: o.roots, Timeout: 10 * time.Second, Deployment: deployed}),
	}
}

func (o *postOffice) refusal(command string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.refuse[command]
}

// NewSession begins a conversation.
func (o *postOffice) NewSession(c *smtp.Conn) (smtp.Session, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sessions++
	return &conversation{office: o, conn: c}, nil
}

type conversation struct {
	office *postOffice
	conn   *smtp.Conn
	user   string
	letter letter
}

func (c *conversation) encrypted() bool { _, ok := c.conn.TLSConnectionState(); return ok }

func (c *conversation) AuthMechanisms() []string { return []string{sasl.Plain} }

func (c *conversation) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if err := c.office.refusal("AUTH"); err != nil {
			return err
		}
		if user != "keyturn" || password != mailPassword || !c.encrypted() {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "wrong password " + password}
		}
		c.user = user
		return nil
	}), nil
}

func (c *conversation) Mail(from string, _ *smtp.MailOptions) error {
	c.letter = letter{from: from}
	return c.office.refusal("MAIL")
}

func (c *conversation) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.letter.to = append(c.letter.to, to)
	return c.office.refusal("RCPT")
}

func (c *conversation) Data(r io.Reader) error {
	if err := c.office.refusal("DATA"); err != nil {
		return err
	}
	if !c.encrypted() {
		return errors.New("came in the clear")
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := c.letter.read(raw); err != nil {
		return err
	}
	c.office.letters <- c.letter
	return nil
}

// Reset breaks the connection where that is wanted. It is called before EHLO is
// answered after STARTTLS, too, when nothing has come yet.
func (c *conversation) Reset() {
	if c.office.refusal("RESET") != nil && c.letter.raw != "" {
		_ = c.conn.Conn().Close()
	}
}

func (c *conversation) Logout() error { return nil }

// read takes a letter apart: alternatives of text.
func (l *letter) read(raw []byte) error {
	l.raw = string(raw)
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	l.header, l.parts = m.Header, map[string]string{}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	if kind != "multipart/alternative" {
		text, err := io.ReadAll(m.Body)
		l.parts[kind] = string(text)
		return err
	}
	for parts := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if err != nil {
			return err
		}
		var text io.Reader = p
		if p.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			text = quotedprintable.NewReader(p)
		}
		decoded, err := io.ReadAll(text)
		if err != nil {
			return err
		}
		l.parts[kind] = string(decoded)
	}
}

// subject is the subject, decoded.
func (l letter) subject(t *testing.T) string {
	t.Helper()
	s, err := new(mime.WordDecoder).DecodeHeader(l.header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// next is the next letter, or the end of the test.
func (o *postOffice) next(t *testing.T) letter {
	t.Helper()
	select {
	case l := <-o.letters:
		return l
	case <-time.After(time.Minute):
		t.Fatal("no mail came")
		return letter{}
	}
}

// fields are the names of a letter's header, sorted.
func (l letter) fields() []string {
	var names []string
	for name := range l.header {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
