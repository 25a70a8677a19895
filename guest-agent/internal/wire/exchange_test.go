package wire

import (
	"bytes"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"opencomputer/guest-agent/internal/limit"
)

type point struct {
	X int    `json:"x"`
	N string `json:"n"`
}

func TestParseJSONAcceptsAValueWithUnknownFields(t *testing.T) {
	var got point
	if err := ParseJSON([]byte(`{"x": 3, "other": []}`), &got); err != nil || got.X != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestParseJSONDistinguishesWrongTypesFromInvalidJSON(t *testing.T) {
	cases := []struct {
		text string
		code Code
	}{
		{`{"x": "3"}`, InvalidRequest},
		{`{"x": 1.5}`, InvalidRequest},
		{`{"x": 1} {}`, InvalidJSON},
		{`{"x": `, InvalidJSON},
		{``, InvalidJSON},
	}
	for _, test := range cases {
		var value point
		err := ParseJSON([]byte(test.text), &value)
		var known *Error
		if !errors.As(err, &known) || known.Code != test.code {
			t.Errorf("%s gave %v, want %s", test.text, err, test.code)
		}
	}
}

func TestReadJSONRefusesABodyOverTheLimit(t *testing.T) {
	body := `{"n":"` + strings.Repeat("x", limit.BodyBytesMax) + `"}`
	var value point
	err := ReadJSON(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(body)), &value)
	var known *Error
	if !errors.As(err, &known) || known.Code != BodyTooLarge {
		t.Errorf("got %v, want %s", err, BodyTooLarge)
	}
}

func TestWriteErrorWritesTextAndCode(t *testing.T) {
	response := httptest.NewRecorder()
	WriteError(response, Errorf(FileNotFound, "/x does not exist"))
	if response.Code != 404 {
		t.Errorf("status %d, want 404", response.Code)
	}
	if want := `{"code":"file_not_found","error":"/x does not exist"}`; response.Body.String() != want {
		t.Errorf("got %s, want %s", response.Body, want)
	}
}

func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"x":1,"n":"a"}`))
	f.Add([]byte(`{"x":1e400}`))
	f.Add([]byte("[[[[[[[[[[{\"n\":\"\\ud800\"}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var value point
		err := ParseJSON(text, &value)
		var known *Error
		if err != nil && !errors.As(err, &known) {
			t.Errorf("%q gave %v, which cannot cross the wire", bytes.TrimSpace(text), err)
		}
	})
}
