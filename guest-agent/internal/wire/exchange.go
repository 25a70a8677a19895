package wire

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"strconv"

	"opencomputer/guest-agent/internal/limit"
)

// ReadJSON parses the body of a request into value. The body may have at most
// limit.BodyBytesMax bytes; fields that value does not have are ignored.
func ReadJSON(response http.ResponseWriter, request *http.Request, value any) error {
	body := http.MaxBytesReader(response, request.Body, limit.BodyBytesMax)
	text, err := io.ReadAll(body)
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return Errorf(BodyTooLarge, "the body must have at most %d bytes", limit.BodyBytesMax)
		}
		return Errorf(InvalidRequest, "the body is incomplete: %v", err)
	}
	return ParseJSON(text, value)
}

// ParseJSON parses text, which must be one JSON value of the shape of value.
func ParseJSON(text []byte, value any) error {
	err := json.Unmarshal(text, value)
	if err == nil {
		return nil
	}
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return Errorf(InvalidRequest, "%s must be a %s, got a %s", wrongType.Field, wrongType.Type, wrongType.Value)
	}
	return Errorf(InvalidJSON, "the body is not JSON: %v", err)
}

// WriteJSON responds with status 200 and value.
func WriteJSON(response http.ResponseWriter, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		WriteError(response, err)
		return
	}
	writeBody(response, http.StatusOK, text)
}

// WriteError responds with err. An error that is not an Error is a fault of the
// agent and is logged.
func WriteError(response http.ResponseWriter, err error) {
	var known *Error
	if !errors.As(err, &known) {
		known = Errorf(InternalError, "the guest agent failed: %v", err)
	}
	if known.Code == InternalError {
		log.Print(known.Message)
	}
	text, err := json.Marshal(map[string]string{"error": known.Message, "code": string(known.Code)})
	if err != nil {
		log.Printf("cannot write an error as JSON: %v", err)
		text = []byte(`{"error":"the guest agent failed","code":"internal_error"}`)
	}
	writeBody(response, known.Status(), text)
}

func writeBody(response http.ResponseWriter, status int, text []byte) {
	header := response.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	response.WriteHeader(status)
	if _, err := response.Write(text); err != nil {
		log.Printf("the client disconnected before the response was complete: %v", err)
	}
}
