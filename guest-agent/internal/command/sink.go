package command

import "io"

// sink is where the output of one stream goes.
type sink interface {
	// readOnce takes one read's worth of octets from source.
	readOnce(source io.Reader) (int, error)
}
