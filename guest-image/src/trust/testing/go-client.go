// Sends one request to the URL of its argument.
package main

import (
	"net/http"
	"os"
)

func main() {
	response, err := http.Get(os.Args[1])
	if err != nil {
		panic(err)
	}
	response.Body.Close()
}
