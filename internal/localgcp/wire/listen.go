package wire

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Server is a handler listening on loopback.
type Server struct {
	Addr string // host:port
	http *http.Server

	done   chan struct{} // closed once the server has ended
	served error         // why, by then
}

// Listen serves h on addr, which must be a loopback address; port 0 picks a free one.
func Listen(addr string, h http.Handler) (*Server, error) {
	if err := mustBeLoopback(addr); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err // says the address
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &Server{
		Addr: l.Addr().String(),
		http: &http.Server{Handler: h, Protocols: protocols, ReadHeaderTimeout: 10 * time.Second},
		done: make(chan struct{}),
	}
	go func() {
		s.served = s.http.Serve(l)
		close(s.done)
	}()
	return s, nil
}

// URL is the address of the server as a URL without a trailing slash.
func (s *Server) URL() string { return "http://" + s.Addr }

// Close stops the server at once: streams that clients hold open are cut. A
// second call does nothing.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	if !errors.Is(s.served, http.ErrServerClosed) {
		err = errors.Join(err, s.served)
	}
	return err
}

// mustBeLoopback keeps the embedded cloud, which lets anyone in, off the network.
func mustBeLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: %w; give host:port, such as 127.0.0.1:8790", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("address %q is not on loopback: the embedded Google Cloud lets everyone in; use 127.0.0.1", addr)
	}
	return nil
}
