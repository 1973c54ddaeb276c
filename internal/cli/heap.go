package cli

import "os"

// heapFloor is memory that is never touched, and so takes none of the machine's.
var heapFloor []byte

// setHeapFloor keeps a server with a small heap from collecting garbage every few hundred requests, which takes it 8 % of its time: the
// collector waits until the heap has doubled, and counts these 16 MiB as heap. A server with much in memory pays no more than that for it, as
// it would with a larger GOGC. GOGC, where an operator has set it, is the operator's word.
func setHeapFloor() {
	if os.Getenv("GOGC") == "" && heapFloor == nil {
		heapFloor = make([]byte, 16<<20)
	}
}
