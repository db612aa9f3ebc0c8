package door

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/identity"
	"golang.org/x/time/rate"
)

// Verifier tells whose an identity token is, or why it is nobody's.
type Verifier interface {
	Email(ctx context.Context, token string) (string, error)
}

// Config says whom an HTTP door lets in.
type Config struct {
	Verifier Verifier // of tokens; nil believes none
	// Callers who may ask, and for what. Empty is whoever Checked lets in.
	Callers Callers
	// Checked says that Cloud Run checks every caller by its own IAM.
	Checked bool
	// Open lets whoever has no token in, too, if there are no Callers: only on this
	// machine, where the embedded cloud knows nobody either.
	Open bool
	Log  *slog.Logger // nil discards
}

// HTTP is the door of functions that commands come through by HTTP. Nil lets
// nobody in. It is safe for concurrent use.
type HTTP struct {
	config   Config
	log      *slog.Logger
	told     *rate.Limiter // of refused strangers in the log
	untold   atomic.Int64  // who were refused and not logged
	patience time.Duration // for the body of a known caller
}

// NewHTTP returns a door.
func NewHTTP(c Config) *HTTP {
	d := &HTTP{config: c, log: c.Log, told: rate.NewLimiter(1, 20), patience: 30 * time.Second}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	return d
}

// Command is what a function is asked for, as JSON.
type Command[C any] interface {
	Action() (verb, object string) // what is asked for, and of what, if of anything
	AskedBy(caller string) C       // the command with who asked for it; "" is not known
	Validate() error
}

// Form is what the commands of one function look like.
type Form struct {
	Limit   int64  // bytes
	Example string // of a command
}

// Error is the body of an answer that is nothing but an error.
type Error struct {
	Error string `json:"error"`
}

var (
	errNobody    = errors.New("there is no door")
	errUnchecked = errors.New("nothing says who may call: KEYTURN_CALLERS is empty, and so is KEYTURN_CHECKED_BY")
	errNotListed = errors.New("KEYTURN_CALLERS does not name the caller")
	errNotHis    = errors.New("KEYTURN_CALLERS does not give the caller this action")
)

// ServeJSON answers one JSON command. Whoever is not let in, or asks for what he
// may not, gets one and the same refusal, whatever he sent; of what strangers send
// nothing but the header is read.
func ServeJSON[C Command[C]](d *HTTP, w http.ResponseWriter, r *http.Request, f Form, do func(context.Context, C) (code int, body any)) {
	caller, err := d.caller(r)
	if err != nil {
		d.refuseStranger(w, r, caller, err)
		return
	}
	if code, err := checkForm(r); err != nil {
		hangUp(w)
		if code == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", http.MethodPost)
		}
		answer(w, code, Error{err.Error()})
		return
	}
	c, err := readCommand[C](d, w, r, f)
	if err != nil {
		hangUp(w)
		answer(w, http.StatusBadRequest, Error{err.Error()})
		return
	}
	verb, object := c.Action()
	log := d.log.With("command", clip(verb), "object", clip(object), "by", caller)
	if !d.config.Callers.may(caller, verb) {
		log.WarnContext(r.Context(), "a command was refused", "reason", errNotHis.Error())
		refuse(w)
		return
	}
	c = c.AskedBy(caller)
	if err := c.Validate(); err != nil {
		answer(w, http.StatusBadRequest, Error{err.Error()})
		return
	}
	log.InfoContext(r.Context(), "a command is carried out")
	code, body := do(r.Context(), c)
	answer(w, code, body)
}

// caller is the e-mail address of who asks; "" without an error is somebody on
// this machine. With an error it is who is known and not let in.
func (d *HTTP) caller(r *http.Request) (string, error) {
	if d == nil || d.config.Verifier == nil && !d.config.Open {
		return "", errNobody
	}
	if byBrowser(r.Header) {
		return "", errBrowser
	}
	token, err := bearer(r.Header)
	if errors.Is(err, errNoToken) && d.config.Open && len(d.config.Callers) == 0 {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	caller, err := d.known(r.Context(), token)
	if err == nil && d.config.Checked && identity.Signed(token) && len(r.Header.Values(serverless)) == 0 && d.told.Allow() {
		d.log.ErrorContext(r.Context(), "Cloud Run was to check a token and has not touched it: it seems that everybody may call this service; take allUsers from its roles/run.invoker")
	}
	return caller, err
}

func (d *HTTP) known(ctx context.Context, token string) (string, error) {
	if d.config.Verifier == nil {
		return "", errNobody
	}
	caller, err := d.config.Verifier.Email(ctx, token)
	switch {
	case err != nil:
		return "", err
	case len(d.config.Callers) == 0 && !d.config.Checked && !d.config.Open:
		return caller, errUnchecked
	case !d.config.Callers.knows(caller):
		return caller, errNotListed
	}
	return caller, nil
}

// refuseStranger tells the log why, and does not wait for what else is sent. Of
// many refusals the log is told of some, and how many others there were.
func (d *HTTP) refuseStranger(w http.ResponseWriter, r *http.Request, caller string, reason error) {
	switch {
	case d == nil:
	case d.told.Allow():
		d.log.WarnContext(r.Context(), "a caller was refused", "reason", reason.Error(), "by", caller, "unlogged", d.untold.Swap(0))
	default:
		d.untold.Add(1)
	}
	refuse(w)
}

// refuse is the answer to whoever may not ask.
func refuse(w http.ResponseWriter) {
	hangUp(w)
	answer(w, http.StatusForbidden, Error{"not allowed; the function's log says why"})
}

// clip is as much of what a caller wrote as a log needs.
func clip(text string) string { return fmt.Sprintf("%.200s", text) }

// hangUp has the server wait for nothing more once it has answered: what is left of
// a body, it would read.
func hangUp(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // a writer of tests has no deadline
	w.Header().Set("Connection", "close")
}

// checkForm says what is wrong with a request before its body. Only JSON is taken,
// which a page of another site cannot have a browser send without asking first.
func checkForm(r *http.Request) (code int, err error) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, errors.New("send a JSON command by POST")
	}
	types := r.Header.Values("Content-Type")
	if len(types) == 1 {
		kind, parameters, err := mime.ParseMediaType(types[0])
		charset := parameters["charset"]
		if err == nil && kind == "application/json" && (charset == "" || charset == "utf-8" || charset == "UTF-8") && len(r.Header.Values("Content-Encoding")) == 0 {
			return 0, nil
		}
	}
	return http.StatusUnsupportedMediaType, errors.New("send a JSON command, not compressed, with the header Content-Type: application/json")
}

// readCommand reads the body, for which a caller has some time and no more.
func readCommand[C any](d *HTTP, w http.ResponseWriter, r *http.Request, f Form) (c C, err error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(d.patience)) // a writer of tests has no deadline
	if err := event.DecodeObject(http.MaxBytesReader(w, r.Body, f.Limit), &c, f.Example); err != nil {
		return c, err
	}
	_ = control.SetReadDeadline(time.Time{})
	return c, nil
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the caller went away: nobody is left to tell
}
