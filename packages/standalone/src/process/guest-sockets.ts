/** File descriptor under which the egress proxy finds the socket for guests' other ports. */
export const streamDescriptor = 6;
/** File descriptor from which it reads which connections the packet filter rejected. */
export const refusalDescriptor = 7;

/**
 * The command that opens two sockets of the egress proxy, which need a privilege
 * and a system call that Node lacks, and then runs the proxy's own command:
 *
 * - one that accepts connections to any address (ip(7), `IP_TRANSPARENT`), which
 *   the packet filter gives to it;
 * - one that receives the packet filter's log of rejected connections (NFLOG).
 *   Without it, they are rejected all the same, and not audited.
 *
 * Perl is part of every Debian (`perl-base` is essential).
 */
export function withGuestSockets(
  command: readonly string[],
  options: { address: string; port: number; logGroup: number },
): string[] {
  const { address, port, logGroup } = options;
  return [
    ...["perl", "-e", openSocketsScript, address, String(port), String(logGroup)],
    ...[String(streamDescriptor), String(refusalDescriptor), ...command],
  ];
}

/** Arguments: address, port, log group, the two descriptors, and the command. */
const openSocketsScript = `
use strict;
use warnings;
use Fcntl;
use POSIX ();
use Socket;
my ($address, $port, $group, $stream_descriptor, $refusal_descriptor) = splice @ARGV, 0, 5;

sub attribute { # type data
  my ($type, $data) = @_;
  return pack("S S", 4 + length $data, $type) . $data . "\\0" x (-length($data) % 4);
}
sub configure { # socket attribute
  my ($socket, $attribute) = @_;
  my $body = pack("C C n", 0, 0, $group) . $attribute;
  # NFULNL_MSG_CONFIG of NFNL_SUBSYS_ULOG, as a request that is acknowledged.
  send $socket, pack("L S S L L", 16 + length $body, 4 << 8 | 1, 1 | 4, 1, 0) . $body, 0 or return 0;
  recv $socket, my $reply, 4096, 0 // return 0;
  my ($type, $error) = (unpack "L S S L L l", $reply)[1, 5];
  return $type == 2 && $error == 0;
}

socket my $stream, PF_INET, SOCK_STREAM, 0 or die "socket: $!\\n";
setsockopt $stream, SOL_SOCKET, SO_REUSEADDR, 1 or die "SO_REUSEADDR: $!\\n";
setsockopt $stream, 0, 19, 1 or die "IP_TRANSPARENT: $!\\n";
bind $stream, sockaddr_in($port, inet_aton($address)) or die "Cannot listen on tcp $address:$port: $!\\n";
listen $stream, 1024 or die "listen: $!\\n";

# NETLINK_NETFILTER; NFULNL_CFG_CMD_BIND and NFULNL_COPY_PACKET.
my $refusals;
if (socket $refusals, 16, SOCK_RAW, 12
  and configure($refusals, attribute(1, pack "C", 1))
  and configure($refusals, attribute(2, pack "N C x", 64, 2))) {
  fcntl $refusals, F_SETFL, O_NONBLOCK or die "O_NONBLOCK: $!\\n";
  POSIX::dup2(fileno $refusals, 101) // die "dup2: $!\\n";
} else {
  warn "Rejected connections are not audited: the packet filter's log cannot be read: $!\\n";
}
# By way of unused descriptors: a socket may have the number that another one needs.
POSIX::dup2(fileno $stream, 100) // die "dup2: $!\\n";
for ([100, $stream_descriptor], [101, $refusal_descriptor]) {
  my ($from, $to) = @$_;
  POSIX::dup2($from, $to) and POSIX::close($from);
}
exec @ARGV or die "exec $ARGV[0]: $!\\n";
`;
