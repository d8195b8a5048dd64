# What tests/conformance/test_clients.py lets Net::Stomp do; each step that worked is one line of output.
use strict;
use warnings;
use Net::Stomp;

my ( $port, $version ) = @ARGV;
my $stomp = Net::Stomp->new( { hostname => '127.0.0.1', port => $port, timeout => 10, receipt_timeout => 10 } );
my %login = ( login => 'ann', passcode => 's3cret' );
%login = ( %login, 'accept-version' => $version, host => 'bus' ) if $version;
my $connected = $stomp->connect( {%login} );
die 'not connected' unless $connected->command eq 'CONNECTED';
print "connected ", $connected->headers->{version}, "\n";

for my $body ( "gr\xc3\xbc\xc3\x9fe", 'second' ) {
    print "receipt ", $stomp->send_with_receipt( { destination => '/queue/a', body => $body, persistent => 'true' } ), "\n";
}
my %queue = ( destination => '/queue/a', id => 's', ack => 'client', 'prefetch-count' => 1 );
$stomp->subscribe( {%queue} );

sub take {
    my $frame = $stomp->receive_frame( { timeout => 10 } ) or die 'nothing came';
    die $frame->as_string unless $frame->command eq 'MESSAGE';
    printf "got %s again %d\n", $frame->body, $frame->headers->{'delivery-count'} // 0;
    return $frame;
}

$stomp->nack( { frame => take(), subscription => 's' } );
$stomp->ack( { frame => take(), subscription => 's' } );
$stomp->ack( { frame => take(), subscription => 's' } );
$stomp->unsubscribe( {%queue} );
print "transaction ", $stomp->send_transactional( { destination => '/queue/a', body => 'third' } ), "\n";
$stomp->subscribe( { %queue, ack => 'auto', id => 't' } );
take();
$stomp->disconnect;
print "left\n";
