/*
 * Who writes to a map of a file, for judge.test.ts.
 *
 *     scribbler FILE [close]
 *
 * Reads the first byte of its map, then for each line of stdin writes it, and says "written"; then unmaps and
 * closes the file at the end of stdin, and says "closed". With "close" it keeps only the map from the start.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = open(argv[1], O_RDWR);
	volatile char *map = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char line[16], byte = 'a';
	if (fd < 0 || map == MAP_FAILED) return 1;
	if (argc > 2) close(fd);
	byte += map[0] == byte;
	setlinebuf(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		map[0] = byte++;
		puts("written");
	}
	munmap((void *)map, 1);
	close(fd);
	puts("closed");
	return 0;
}
