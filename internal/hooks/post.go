package hooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// maxAnswer is how much is read of an answer's body, in bytes.
	maxAnswer = 4096
	// maxRedirects is how often a request is sent on by the same server.
	maxRedirects = 3
	// maxRetryAfter bounds how long a server can have us wait.
	maxRetryAfter = time.Minute
)

// newClient makes the client that all hooks share. It takes no proxy from the environment, and follows no redirect to another server or by
// another method.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			MaxIdleConnsPerHost: workersPerHook, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			from := via[0]
			if to.Method != from.Method || to.URL.Scheme != from.URL.Scheme || to.URL.Host != from.URL.Host || len(via) > maxRedirects {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
}

// temporary is an error that may be over later.
type temporary struct {
	error
	after time.Duration // that the server asks to wait
}

// post sends the event once. An error that may be over later is a temporary.
func post(ctx context.Context, client *http.Client, cfg *Config, e *Event) error {
	request, err := newRequest(cfg, e)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	response, err := client.Do(request.WithContext(limited))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return temporary{error: fmt.Errorf("no answer within %v", cfg.Timeout)}
	case err != nil:
		return temporary{error: withoutURL(err)}
	}
	defer func() { _ = response.Body.Close() }()
	// To the end, so that the connection serves the next event too.
	answer, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return verdict(response, answer)
}

// newRequest makes the request. Secrets are read anew: who changes one needn't tell us.
func newRequest(cfg *Config, e *Event) (*http.Request, error) {
	body, err := e.body()
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(http.MethodPost, cfg.URL, bytes.NewReader(body))
	if err != nil {
		return nil, withoutURL(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "labnet")
	request.Header.Set("X-Labnet-Event", e.Event)
	request.Header.Set("X-Labnet-Delivery", e.ID)
	if cfg.SecretFile != "" {
		secret, err := readSecret(cfg.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("reading the secret: %w", err)
		}
		request.Header.Set("X-Labnet-Signature", signature(secret, body))
	}
	if cfg.TokenFile != "" {
		token, err := readToken(cfg.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("reading the token: %w", err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return request, nil
}

// signature is the HMAC-SHA256 of body (RFC 2104) as the header has it.
func signature(secret, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// withoutURL takes the URL out of an error: there may be a secret in its path.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// verdict says what an answer means: 2xx is fine, 429 and 5xx may be over later (RFC 6585 section 4, RFC 9110 section 15.6).
func verdict(response *http.Response, answer []byte) error {
	code := response.StatusCode
	if code >= 200 && code < 300 {
		return nil
	}
	err := fmt.Errorf("the server answers %d %s", code, http.StatusText(code))
	if to, noLocation := response.Location(); noLocation == nil && code >= 300 && code < 400 {
		return fmt.Errorf("%w, to %s://%s, which is not followed: name the right URL", err, to.Scheme, to.Host)
	}
	if said := lastLine(plain(string(answer))); said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	if code != http.StatusTooManyRequests && code < 500 {
		return err
	}
	return temporary{err, retryAfter(response.Header)}
}

// retryAfter is what Retry-After says in seconds (RFC 9110 section 10.2.3). As a date it is ignored: it would take the server's clock for ours.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.ParseUint(header.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxRetryAfter)
}
