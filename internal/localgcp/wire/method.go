package wire

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// Method is a method of an API that has no gRPC form.
type Method struct {
	Verb       string
	Path       *regexp.Regexp // of the whole path; its groups are Request.Args, unescaped
	Name       string         // as the full name of a gRPC method, by which faults know it
	Permission string         // that the caller needs; empty is none
	// On names what the permission is asked of. Nil is Args[0].
	On func(*Request) string
	// Run does the work and returns the answer, which is written in JSON; nil is an
	// empty answer with status 204.
	Run func(*Request) (any, error)
}

// Request is a call of a Method.
type Request struct {
	Context context.Context
	Args    []string
	Query   url.Values
	Body    []byte
}

// Decode reads the body, which may be empty, as JSON.
func (r *Request) Decode(into any) error {
	if len(r.Body) == 0 {
		return nil
	}
	if err := json.Unmarshal(r.Body, into); err != nil {
		return status.Error(codes.InvalidArgument, "Invalid JSON payload received.")
	}
	return nil
}

// Page is the part of a list that is asked for by a page size, which is at most
// most, and by a token, which is where the page begins. next is the token of the
// one after it; empty if there is none.
func Page[T any](list []T, size, most int, token string) (page []T, next string, err error) {
	if size <= 0 || size > most {
		size = most
	}
	begin := 0
	if token != "" {
		if begin, err = strconv.Atoi(token); err != nil || begin < 0 || begin > len(list) {
			return nil, "", status.Error(codes.InvalidArgument, "Request contains an invalid argument: page token.")
		}
	}
	end := min(begin+size, len(list))
	if end < len(list) {
		next = strconv.Itoa(end)
	}
	return list[begin:end], next, nil
}

// List is the page of a list that a request asks for, as most REST methods answer: the
// page under its name and the token, where they are not empty.
func List[T any](r *Request, name string, list []T, size, most int) (map[string]any, error) {
	page, next, err := Page(list, size, most, r.Query.Get("pageToken"))
	if err != nil {
		return nil, err
	}
	answer := map[string]any{}
	if len(page) > 0 {
		answer[name] = page
	}
	if next != "" {
		answer["nextPageToken"] = next
	}
	return answer, nil
}

// Size is a query's number of that name; 0 if there is none.
func (r *Request) Size(name string) int {
	n, _ := strconv.Atoi(r.Query.Get(name)) // Google takes what is no number for none, too [mem]
	return n
}

// API serves methods.
type API struct {
	Methods []Method
	// Guard refuses a caller without the method's permission on the resource,
	// and else has the work done, for the caller in its context. Required.
	Guard func(r *http.Request, m Method, resource string, work func(context.Context) error) error
	// Refuse writes an error. Nil is WriteStatus.
	Refuse func(http.ResponseWriter, error)
}

// maxBody is the longest body read, in bytes.
const maxBody = 1 << 20

// Serves reports whether a path is one of the API's.
func (a *API) Serves(path string) bool {
	for _, m := range a.Methods {
		if m.Path.MatchString(path) {
			return true
		}
	}
	return false
}

// ServeHTTP answers in Google's JSON, errors included.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := a.serve(w, r)
	switch {
	case err != nil && a.Refuse != nil:
		a.Refuse(w, err)
	case err != nil:
		WriteStatus(w, err)
	case answer == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		WriteJSON(w, http.StatusOK, answer)
	}
}

func (a *API) serve(w http.ResponseWriter, r *http.Request) (answer any, err error) {
	for _, m := range a.Methods {
		args := m.Path.FindStringSubmatch(r.URL.Path)
		if args == nil || m.Verb != r.Method {
			continue
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "The request cannot be read to its end or is longer than %d bytes.", maxBody)
		}
		request := &Request{Context: r.Context(), Args: args[1:], Query: r.URL.Query(), Body: body}
		on := args[1]
		if m.On != nil {
			on = m.On(request)
		}
		err = a.Guard(r, m, on, func(ctx context.Context) (err error) {
			request.Context = ctx
			answer, err = m.Run(request)
			return err
		})
		return answer, err
	}
	return nil, status.Error(codes.NotFound, "Method not found.")
}

// WriteStatus answers an error in Google's form, with its details.
func WriteStatus(w http.ResponseWriter, err error) {
	st := status.Convert(err)
	var details []json.RawMessage
	for _, d := range st.Proto().GetDetails() {
		if b, err := protojson.Marshal(d); err == nil {
			details = append(details, b)
		}
	}
	WriteError(w, 0, st.Code(), st.Message(), details...)
}
