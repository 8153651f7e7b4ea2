// An operator at a place in the network, under a name or number of its own.
OscbendBend {
	var <oscbend, <id;

	*new { |oscbend, id| ^super.newCopyArgs(oscbend ?? { Oscbend.default }, id) }

	arm { |op, site, mix| oscbend.sendMsg(this.path, op, site, *[mix].reject(_.isNil)) }
	op { |op| this.prSend("op", op) }
	site { |site| this.prSend("site", site) }

	// \angle, 1.5, \mix, 0.5 …; the value of a parameter with several numbers is an array.
	set { |... pairs|
		pairs.pairsDo { |parameter, value| this.prSend(parameter, *value.asArray) }
	}
	x { |value| this.prSend("x", value) }
	mix { |value| this.prSend("mix", value) }
	on { |flag = true| this.prSend("on", flag.binaryValue) }
	off { this.on(false) }
	select { |... words| this.prSend("select", *words) }
	window { |from = 0.0, to = 1.0| this.prSend("window", from, to) }
	branch { |which| this.prSend("branch", which) }

	map { |parameter, feature, lo, hi, curve| oscbend.map(this.path(parameter), feature, lo, hi, curve) }
	unmap { |parameter| oscbend.unmap(this.path(parameter)) }
	mod { |parameter, number, feature, depth, curve|
		oscbend.mod(this.path(parameter), number, feature, depth, curve)
	}
	norm { |parameter, value| oscbend.norm(this.path(parameter), value) }
	glide { |parameter, value, seconds, curve| oscbend.glide(this.path(parameter), value, seconds, curve) }
	lag { |parameter, seconds| oscbend.lag(this.path(parameter), seconds) }
	free { this.prSend("free") }

	path { |part|
		^("/bend/" ++ id) ++ if(part.isNil) { "" } { "/" ++ part }
	}
	prSend { |part ... words| oscbend.sendMsg(this.path(part), *words) }

	printOn { |stream| stream << this.class.name << "(" << id << ")" }
}
