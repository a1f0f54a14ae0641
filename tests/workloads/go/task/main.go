package main

import (
	"encoding/json"
	"fmt"
	"sync"
)

func main() {
	var all sync.WaitGroup
	var lock sync.Mutex
	sum := 0
	for i := 0; i < 7; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			lock.Lock()
			defer lock.Unlock()
			sum += 6
		}()
	}
	all.Wait()
	text, err := json.Marshal(sum)
	if err != nil {
		panic(err)
	}
	fmt.Println("go", string(text))
}
