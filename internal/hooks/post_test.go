package hooks

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pipes is a network within the process, on which synctest's time goes on. Every address leads to one server.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	mu    sync.Mutex // guards refuse
	// refuse is how many connections are still refused.
	refuse int
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse > 0 {
		p.refuse--
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", net.ErrClosed)}
	}
	here, there := net.Pipe()
	p.conns <- there
	return here, nil
}

// serve runs a server and returns a Runner that reaches it whatever the URL is.
func serve(t *testing.T, cfg Config, out *journal, handler http.HandlerFunc) (*Runner, *pipes) {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(p) }()
	cfg.Name, cfg.Events = "h", []string{"lease.bound"}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	r := New([]Config{cfg}, out.logger())
	r.client.Transport.(*http.Transport).DialContext = p.dial
	stop := start(t, r)
	t.Cleanup(func() {
		stop()
		_ = server.Close()
		<-served
	})
	return r, p
}

func TestAURLIsSentASignedEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out journal
		var bodies []string
		cfg := Config{
			URL: "http://inventory.example/hook?x=1", SecretFile: secretFile(t, "s3cret\n", 0o600), TokenFile: secretFile(t, "t0ken\n", 0o600),
		}
		secret := "s3cret"
		r, _ := serve(t, cfg, &out, func(w http.ResponseWriter, request *http.Request) {
			body, err := io.ReadAll(request.Body)
			if err != nil {
				t.Error(err)
			}
			mac := hmac.New(sha256.New, []byte(secret))
			mac.Write(body)
			if got := request.Header.Get("X-Labnet-Signature"); got != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
				t.Errorf("signature %q", got)
			}
			for name, want := range map[string]string{
				"Authorization": "Bearer t0ken", "Content-Type": "application/json", "X-Labnet-Event": "lease.bound", "X-Labnet-Delivery": "START-1",
			} {
				if got := request.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if request.Method != "POST" || request.URL.String() != "/hook?x=1" {
				t.Errorf("%s %s", request.Method, request.URL)
			}
			bodies = append(bodies, string(body))
		})
		e := event(1, 57)
		r.Deliver(e)
		synctest.Wait()
		// Secrets are read anew.
		secret = "another"
		if err := os.WriteFile(cfg.SecretFile, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
		r.Deliver(e)
		synctest.Wait()
		want, _ := e.body()
		if diff := cmp.Diff([]string{string(want), string(want)}, bodies); diff != "" {
			t.Error(diff)
		}
		// Nothing is sent where a secret is missing.
		if err := os.Remove(cfg.TokenFile); err != nil {
			t.Fatal(err)
		}
		r.Deliver(e)
		synctest.Wait()
		got := stats(r, "h")
		if got.Delivered != 2 || got.Failed != 1 || len(bodies) != 2 || !strings.Contains(got.LastError, "reading the token: open ") {
			t.Errorf("%+v", got)
		}
		if got.Target != "http://inventory.example" {
			t.Errorf("the target is %q", got.Target)
		}
		for _, secret := range []string{"s3cret", "another", "t0ken"} {
			if strings.Contains(out.String()+got.LastError, secret) {
				t.Errorf("%q shows:\n%s", secret, out.String())
			}
		}
	})
}

func TestWhatIsSentAgain(t *testing.T) {
	type answers func(http.ResponseWriter, *http.Request, int)
	silent := func(attempts int) answers {
		return func(_ http.ResponseWriter, request *http.Request, attempt int) {
			if attempt < attempts {
				_, _ = io.Copy(io.Discard, request.Body) // only then the server notices that the client goes
				<-request.Context().Done()
			}
		}
	}
	answer := func(codes ...int) answers {
		return func(w http.ResponseWriter, _ *http.Request, attempt int) {
			w.WriteHeader(codes[min(attempt, len(codes)-1)])
			_, _ = io.WriteString(w, "<h1>\x1b[31mnot now</h1>\nwith /secret/path of ours\x07")
		}
	}
	for _, test := range []struct {
		name     string
		answer   answers
		refuse   int
		attempts int
		least    time.Duration // until it is decided
		most     time.Duration
		err      string
	}{
		{"fine", answer(204), 0, 1, 0, 0, ""},
		{"broken, then fine", answer(500, 503, 200), 0, 3, 2500 * time.Millisecond, 8 * time.Second, ""},
		{"broken for good", answer(502), 0, 4, 10 * time.Second, 30 * time.Second, "the server answers 502 Bad Gateway: with /secret/path of ours\ufffd"},
		{"too many", answer(429, 200), 0, 2, 500 * time.Millisecond, 2 * time.Second, ""},
		{"too many, and says when", func(w http.ResponseWriter, request *http.Request, attempt int) {
			w.Header().Set("Retry-After", "30")
			answer(429, 200)(w, request, attempt)
		}, 0, 2, 30 * time.Second, 30 * time.Second, ""},
		{"says a time that nobody waits", func(w http.ResponseWriter, request *http.Request, attempt int) {
			w.Header().Set("Retry-After", "36000")
			answer(429, 200)(w, request, attempt)
		}, 0, 2, time.Minute, time.Minute, ""},
		{"refused", answer(400), 0, 1, 0, 0, "the server answers 400 Bad Request: with /secret/path of ours\ufffd"},
		{"unreachable, then fine", answer(200), 2, 1, 2500 * time.Millisecond, 8 * time.Second, ""},
		{"unreachable", answer(200), 100, 0, 10 * time.Second, 30 * time.Second, "dial tcp: connect: use of closed network connection"},
		{"silent, then fine", silent(1), 0, 2, 10 * time.Second, 12 * time.Second, ""},
		{"silent", silent(99), 0, 4, 50 * time.Second, 70 * time.Second, "no answer within 10s"},
		{"endless", func(w http.ResponseWriter, _ *http.Request, _ int) {
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 1000)); err != nil {
					return
				}
			}
		}, 0, 1, 0, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out journal
				attempts := 0
				ids := map[string]bool{}
				var mu sync.Mutex
				r, network := serve(t, Config{URL: "http://inventory.example/secret/path"}, &out, func(w http.ResponseWriter, request *http.Request) {
					mu.Lock()
					ids[request.Header.Get("X-Labnet-Delivery")] = true
					attempts++
					attempt := attempts - 1
					mu.Unlock()
					test.answer(w, request, attempt)
				})
				network.refuse = test.refuse
				begin := time.Now()
				r.Deliver(event(1, 57))
				synctest.Wait()
				for stats(r, "h").Waiting > 0 {
					time.Sleep(time.Millisecond)
				}
				took := time.Since(begin)
				got := stats(r, "h")
				mu.Lock()
				defer mu.Unlock()
				if got.LastError != test.err || (test.err == "") != (got.Delivered == 1) {
					t.Errorf("%+v", got)
				}
				if attempts != test.attempts || len(ids) > 1 {
					t.Errorf("%d attempts as %v", attempts, ids)
				}
				if took < test.least || took > test.most+time.Millisecond {
					t.Errorf("decided after %v", took)
				}
				if strings.Contains(strings.ReplaceAll(out.String(), "of ours", ""), "http://inventory.example/secret") {
					t.Errorf("the URL shows:\n%s", out.String())
				}
			})
		})
	}
}

func TestRedirects(t *testing.T) {
	for _, test := range []struct {
		name, to string
		code     int
		err      string
	}{
		{"within the server", "/other", 307, ""},
		{"to another server", "http://evil.example/other", 307, "the server answers 307 Temporary Redirect, to http://evil.example, which is not followed: name the right URL"},
		{"to another port", "http://inventory.example:8080/other", 308, "the server answers 308 Permanent Redirect, to http://inventory.example:8080, which is not followed: name the right URL"},
		{"to be asked by GET", "/other", 302, "the server answers 302 Found, to http://inventory.example, which is not followed: name the right URL"},
		{"in circles", "/hook", 307, "the server answers 307 Temporary Redirect, to http://inventory.example, which is not followed: name the right URL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out journal
				var hosts []string
				cfg := Config{URL: "http://inventory.example/hook", TokenFile: secretFile(t, "t0ken", 0o600)}
				r, _ := serve(t, cfg, &out, func(w http.ResponseWriter, request *http.Request) {
					hosts = append(hosts, request.Host+request.URL.Path)
					if request.URL.Path == "/hook" {
						http.Redirect(w, request, test.to, test.code)
						return
					}
					if body, err := io.ReadAll(request.Body); err != nil || len(body) == 0 || request.Header.Get("Authorization") == "" {
						t.Errorf("what is sent on: %q, %v", body, err)
					}
				})
				r.Deliver(event(1, 57))
				synctest.Wait()
				got := stats(r, "h")
				if got.LastError != test.err || got.Delivered+got.Failed != 1 {
					t.Errorf("%+v\n%v", got, hosts)
				}
				for _, host := range hosts {
					if !strings.HasPrefix(host, "inventory.example/") {
						t.Errorf("asked %v", hosts)
					}
				}
			})
		})
	}
}

// Over a real socket: a certificate that nobody vouches for is refused, and nothing is sent.
func TestCertificatesAreChecked(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it is sent") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	e := event(1, 57)
	client := newClient()
	defer client.CloseIdleConnections()
	err := post(t.Context(), client, &Config{URL: server.URL + "/secret", Timeout: limit}, &e)
	if err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") || strings.Contains(err.Error(), "/secret") {
		t.Error(err)
	}
	client.Transport.(*http.Transport).TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	if err := post(t.Context(), client, &Config{URL: server.URL, Timeout: limit}, &e); err != nil {
		t.Error(err)
	}
}

// A hook that goes isn't waited for between two attempts.
func TestARemovedURLIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out journal
		r, _ := serve(t, Config{URL: "http://inventory.example/hook"}, &out, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
		r.Deliver(event(1, 57))
		synctest.Wait()
		h := r.all()[0]
		r.Reconfigure(nil)
		synctest.Wait()
		if got := h.snapshot(); got.Failed != 1 || got.Waiting != 0 {
			t.Errorf("%+v", got)
		}
	})
}
