// A client of grpc-go that calls a gRPC server, as each line of its input says,
// and prints what came of it. It has the arguments, the input and the output of
// python_client.py.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type call struct {
	Kind     string      `json:"kind"`
	Method   string      `json:"method"`
	Messages []string    `json:"messages"`
	Metadata [][2]string `json:"metadata"`
	Timeout  float64     `json:"timeout"`
}

type result struct {
	Messages []string          `json:"messages"`
	Code     int               `json:"code"`
	Details  string            `json:"details"`
	Begins   map[string]string `json:"begins"`
	Ends     map[string]string `json:"ends"`
}

// plainBytes passes messages on as they are.
type plainBytes struct{}

func (plainBytes) Name() string { return "proto" }

func (plainBytes) Marshal(message any) ([]byte, error) {
	bytes, ok := message.(*[]byte)
	if !ok {
		return nil, errors.New("a message is not bytes")
	}
	return *bytes, nil
}

func (plainBytes) Unmarshal(data []byte, message any) error {
	bytes, ok := message.(*[]byte)
	if !ok {
		return errors.New("a message is not bytes")
	}
	*bytes = append([]byte(nil), data...)
	return nil
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("The arguments are an address, the host that it stands for, and the file of an authority")
	}
	address, host, authorityFile := os.Args[1], os.Args[2], os.Args[3]
	authority, err := os.ReadFile(authorityFile)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	connection, err := grpc.NewClient(
		"passthrough:///"+address,
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: host})),
		grpc.WithAuthority(host),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(plainBytes{})),
	)
	if err != nil {
		log.Fatal(err)
	}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<24)
	for input.Scan() {
		var made call
		if err := json.Unmarshal(input.Bytes(), &made); err != nil {
			log.Fatal(err)
		}
		output, err := json.Marshal(run(connection, made))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(output))
	}
}

func run(connection *grpc.ClientConn, made call) result {
	pairs := metadata.MD{}
	for _, pair := range made.Metadata {
		pairs.Append(pair[0], pair[1])
	}
	timeout := time.Duration(made.Timeout * float64(time.Second))
	ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(context.Background(), pairs), timeout)
	defer cancel()
	description := &grpc.StreamDesc{
		ClientStreams: strings.HasPrefix(made.Kind, "stream_"),
		ServerStreams: strings.HasSuffix(made.Kind, "_stream"),
	}
	outcome := result{Messages: []string{}, Begins: map[string]string{}, Ends: map[string]string{}}
	stream, err := connection.NewStream(ctx, description, "/test.Test/"+made.Method)
	if err != nil {
		return outcome.with(err)
	}
	err = exchange(stream, made, &outcome)
	begins, _ := stream.Header()
	outcome.Begins, outcome.Ends = flat(begins), flat(stream.Trailer())
	return outcome.with(err)
}

// exchange sends the messages, those of a stream in both directions each after
// the response to the one before it, and returns what ended the call.
func exchange(stream grpc.ClientStream, made call, outcome *result) error {
	receive := func() error {
		var response []byte
		if err := stream.RecvMsg(&response); err != nil {
			return err
		}
		outcome.Messages = append(outcome.Messages, string(response))
		return nil
	}
	for _, text := range made.Messages {
		message := []byte(text)
		if stream.SendMsg(&message) != nil {
			// The reason is what is received.
			break
		}
		if made.Kind == "stream_stream" {
			if err := receive(); err != nil {
				return err
			}
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		if err := receive(); err != nil {
			return err
		}
		if !strings.HasSuffix(made.Kind, "_stream") {
			return nil
		}
	}
}

func (outcome result) with(err error) result {
	if err == nil || errors.Is(err, io.EOF) {
		return outcome
	}
	state := status.Convert(err)
	outcome.Code, outcome.Details = int(state.Code()), state.Message()
	return outcome
}

func flat(values metadata.MD) map[string]string {
	fields := map[string]string{}
	for name, all := range values {
		fields[name] = strings.Join(all, ", ")
	}
	return fields
}
